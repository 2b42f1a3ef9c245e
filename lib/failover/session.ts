import type { Consul } from '../world/consul.ts'

/** The session that holds the lock of a running primary: it dies with the machine or with its database. */
export const LEADER_SESSION = 'understudy-leader'
/** The session of a primary that is about to start: its database cannot pass a check yet. */
export const START_SESSION = 'understudy-start'

/** Consul's id of the check of the local database, as consul-config/services.json names it. */
const DATABASE_CHECK = 'postgresql'

/** The living session for a running primary, made where there is none. Fails while the database's check is critical. */
export async function leaderSession(consul: Consul, node: string): Promise<string> {
  const [existing] = await consul.sessions(node, LEADER_SESSION)
  return (
    existing ??
    consul.createSession({
      name: LEADER_SESSION,
      nodeChecks: ['serfHealth'],
      serviceChecks: [DATABASE_CHECK],
    })
  )
}

/** A session for the time of a start: given back by Consul if the database never comes up. */
export async function startSession(consul: Consul, node: string): Promise<string> {
  const [existing] = await consul.sessions(node, START_SESSION)
  return (
    existing ??
    consul.createSession({
      name: START_SESSION,
      nodeChecks: ['serfHealth'],
      serviceChecks: [],
      ttlSeconds: 60,
    })
  )
}

/** Ids of all living sessions of this machine that may hold the lock. */
export async function ownSessions(consul: Consul, node: string): Promise<string[]> {
  const [leader, start] = await Promise.all([
    consul.sessions(node, LEADER_SESSION),
    consul.sessions(node, START_SESSION),
  ])
  return [...leader, ...start]
}

/** Ends the sessions that the start gate has made, and so gives back the lock if one of them holds it. */
export async function dropStartSessions(consul: Consul, node: string): Promise<void> {
  for (const session of await consul.sessions(node, START_SESSION)) await consul.destroySession(session)
}
