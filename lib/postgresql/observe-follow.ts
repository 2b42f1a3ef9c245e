import type { Context } from '../consul/handler.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type Connection, withDatabase } from './client.ts'
import { inspectData } from './data-directory.ts'
import { localDatabase, nobodyListens, readRole } from './database.ts'
import { type FollowFacts, type Replication, type StreamSettings, upstreamOf } from './decide-follow.ts'
import type { Shortage } from './decide-hot-standby.ts'
import { lineageOf } from './decide-lineage.ts'
import { readOffer } from './observe-lineage.ts'
import type { LocalDatabase } from './role.ts'

/** How long a database may take to answer: longer than a new primary is busy with its promotion. */
const DATABASE_MS = 3000

/** The facts of the handler `follow`, read as the system user postgres. */
export async function observeFollow(context: Context): Promise<FollowFacts> {
  const seen = await observeReplication(context, 'postgres')
  const { data, standbySignal } = inspectData(context.settings.postgresqlVersion, seen.local)
  const [lineage, shortages] = await Promise.all([
    observeLineage(seen),
    observeShortages(context, seen.local),
  ])
  return { ...seen, unpublished: data === 'unpublished', standbySignal, lineage, shortages }
}

/** What keeps a standby from replaying; null if it is not paused. As the system user postgres. */
export async function observeShortages(
  { settings }: Context,
  local: LocalDatabase | Unknown,
): Promise<Shortage[] | null> {
  if (local === UNKNOWN || local.role !== 'standby' || !local.paused) return null
  const { readShortages } = await import('./hot-standby.ts')
  const target = localDatabase('postgres', settings.postgresqlPort)
  return withDatabase(target, DATABASE_MS, (own) => readShortages(own, settings.postgresqlVersion))
}

/** What every system user of understudy may see. @param user the PostgreSQL user to log in as. */
export async function observeReplication(
  { settings, consul }: Context,
  user: 'postgres' | 'understudy_monitor',
  ask: typeof orUnknown = orUnknown,
): Promise<Replication> {
  const target = localDatabase(user, settings.postgresqlPort)
  const read = async (connection: Connection) => ({
    role: await readRole(connection),
    ...(await readUpstream(connection)),
  })
  const [leadership, database] = await Promise.all([
    ask(readLeadership(consul)),
    withDatabase(target, DATABASE_MS, read).catch((error: unknown) =>
      nobodyListens(error) ? null : UNKNOWN,
    ),
  ])
  const answered = database === UNKNOWN || database === null ? null : database
  return {
    node: settings.node,
    leadership,
    local: database === UNKNOWN ? UNKNOWN : (database?.role ?? { role: 'down' }),
    upstream: answered && upstreamOf(answered, settings),
    streaming: answered?.streaming ?? false,
  }
}

/** Whether a standby that does not stream can continue with the primary. */
export async function observeLineage({
  node,
  leadership,
  local,
  streaming,
}: Replication): Promise<FollowFacts['lineage']> {
  if (leadership === UNKNOWN || local === UNKNOWN || local.role !== 'standby' || streaming) return null
  const primary = currentPrimary(leadership)
  if (!primary || primary.node === node) return null
  const own = { timeline: local.timeline, lsn: local.receivedLsn }
  // A primary that does not answer the question must not keep a standby from trying: PostgreSQL refuses what does not fit.
  const upstream = { host: primary.address, port: primary.port }
  const offer = await readOffer(upstream, DATABASE_MS).catch((): Unknown => UNKNOWN)
  return offer === UNKNOWN ? UNKNOWN : lineageOf(own, local.replayedLsn, offer)
}

/** Where a database is set to get its WAL from, and whether it does. */
export async function readUpstream(
  connection: Connection,
): Promise<StreamSettings & Pick<Replication, 'streaming'>> {
  const [row] = await connection.query<StreamSettings & { streaming: boolean }>(
    `select current_setting('primary_conninfo') as conninfo, current_setting('primary_slot_name') as slot,
       exists (select from pg_stat_wal_receiver where status = 'streaming') as streaming`,
  )
  return row ?? { conninfo: '', slot: '', streaming: false }
}
