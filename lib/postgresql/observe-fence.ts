import type { Context } from '../consul/handler.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown, UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { withDatabase } from './client.ts'
import { parseSynchronous } from './config-synchronous.ts'
import { localDatabase, readRole } from './database.ts'
import type { FenceFacts } from './decide-fence.ts'
import { sortStreams } from './decide-streams.ts'
import { readRegistered, readStreams } from './observe-streams.ts'

/** How long the local database may take to answer: part of the time in which a primary that is cut off is fenced. */
const DATABASE_MS = 2000

/** Whether this machine runs a primary, and whether that still has its standbys or its lock. */
export async function observeFence({ settings, consul }: Context, { elapsedMs }: Run): Promise<FenceFacts> {
  const lookedAt = performance.now()
  const target = localDatabase('postgres', settings.postgresqlPort, 'repmgr')
  const [leadership, sessions, database] = await Promise.all([
    // Also a denied or malformed answer: a primary that cannot show that it leads must not go on.
    unknownOnFailure(readLeadership(consul)),
    unknownOnFailure(readSessions(consul, settings.node)),
    orUnknown(
      withDatabase(target, DATABASE_MS, async (own) => {
        const role = await readRole(own)
        const members = await readRegistered(own)
        const [rule] = await own.query<{ text: string }>(
          `select current_setting('synchronous_standby_names') as text`,
        )
        const { standbys } = sortStreams(await readStreams(own), members)
        return {
          role,
          members: members.length,
          streaming: standbys.filter(({ streaming }) => streaming).map(({ name }) => name),
          rule: rule?.text,
        }
      }),
    ),
  ])
  const { members = 0, streaming = [], rule = '' } = database === UNKNOWN ? {} : database
  return {
    node: settings.node,
    local: database === UNKNOWN ? UNKNOWN : database.role,
    members,
    streaming,
    commit: parseSynchronous(rule),
    leadership,
    ownSessions: sessions === UNKNOWN ? UNKNOWN : sessions.own,
    // A look at a Consul that is silent takes time, in which the machine was cut off as well.
    waitedMs: elapsedMs + Math.round(performance.now() - lookedAt),
  }
}
