import { AGENT_LOOK_MS } from '../consul/join-agent.ts'
import type { Joining } from '../consul/joining.ts'
import { settingsOf } from '../consul/joining.ts'
import { consulKeys, type Primary } from '../consul/manifest.ts'
import { leaderSession } from '../consul/session.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { waitFor } from '../core/wait.ts'
import { localDatabase, probe } from './database.ts'

/** A database that works answers this in milliseconds. */
const PROBE_MS = 5000
/** The check of the database runs every 1.5 s once it is registered; a busy first machine is slow. */
const SESSION_MS = 45_000
/** A write to Consul, repeated until the lock is held: Consul delays a lock by up to 15 s after its holder is gone. */
const PUBLISH_MS = 30_000

/** The first machine takes the lock and publishes itself as the primary; from then on its handlers do. */
export async function becomePrimary(joining: Joining): Promise<void> {
  const { consul } = joining
  if ((await consul.get(consulKeys.primary)) !== null) return
  const { node, address, postgresqlPort: port } = settingsOf(joining)
  const database = await probe(localDatabase('understudy_monitor', port), PROBE_MS)
  const timeline = database !== UNKNOWN && database.role === 'primary' ? database.timeline : 1
  // A session needs a passing check of the database, which passes some seconds after its registration.
  const session = await waitFor(
    "Consul's check of the database to pass",
    SESSION_MS,
    () => leaderSession(consul, node),
    AGENT_LOOK_MS,
  )
  const seen = await consul.get(consulKeys.leader)
  await consul.acquire(
    consulKeys.leader,
    { schema: 1, node, since: new Date().toISOString(), why: 'founded the cluster' },
    session,
    seen?.modifyIndex ?? 0,
  )
  await waitFor('the first primary to be published', PUBLISH_MS, async () => {
    const leader = await consul.get(consulKeys.leader)
    if (leader === null) return null
    const { lockIndex: epoch, modifyIndex: index } = leader
    const primary: Primary = { schema: 1, node, address, port, timeline, epoch, index }
    const published = await consul.transaction([
      { verb: 'check-session', key: consulKeys.leader.path, session },
      { verb: 'check-index', key: consulKeys.leader.path, index },
      { verb: 'set', key: consulKeys.primary.path, value: primary },
    ])
    return published || null
  })
}
