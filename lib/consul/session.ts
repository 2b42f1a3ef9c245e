import type { Consul } from './client.ts'

/** The session that holds the lock of a running primary: it dies with the machine or with its database. */
const LEADER_SESSION = 'understudy-leader'
/** The session of a primary that is about to start: its database does not pass a check yet. */
const START_SESSION = 'understudy-start'

/** Consul's id of the check of the local database, as consul-config/postgresql.json names it. */
const DATABASE_CHECK = 'postgresql'

type SessionOptions = Parameters<Consul['createSession']>[0]

/** The session of this name; creates it if there is none. */
async function ensureSession(consul: Consul, node: string, options: SessionOptions): Promise<string> {
  const existing = (await consul.sessions(node)).find(({ name }) => name === options.name)
  return existing?.id ?? consul.createSession(options)
}

/** The session for a running primary. Consul refuses it while the database's check is critical. */
export const leaderSession = (consul: Consul, node: string): Promise<string> =>
  ensureSession(consul, node, {
    name: LEADER_SESSION,
    nodeChecks: ['serfHealth'],
    serviceChecks: [DATABASE_CHECK],
  })

/** A session for the time of a start: it ends by itself if the database never comes up. */
export const startSession = (consul: Consul, node: string): Promise<string> =>
  ensureSession(consul, node, {
    name: START_SESSION,
    nodeChecks: ['serfHealth'],
    serviceChecks: [],
    ttlSeconds: 60,
  })

/** Ids of this machine's sessions that may hold the lock, and those of them that the start gate created. */
export async function readSessions(
  consul: Consul,
  node: string,
): Promise<{ own: string[]; start: string[] }> {
  const sessions = await consul.sessions(node)
  const ids = (...names: string[]): string[] =>
    sessions.filter(({ name }) => names.includes(name)).map(({ id }) => id)
  return { own: ids(LEADER_SESSION, START_SESSION), start: ids(START_SESSION) }
}

/** Ends the sessions that the start gate created; this frees the lock if one of them holds it. */
export async function dropStartSessions(consul: Consul, node: string): Promise<void> {
  for (const session of (await readSessions(consul, node)).start) await consul.destroySession(session)
}
