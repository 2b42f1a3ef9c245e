import { setTimeout as pause } from 'node:timers/promises'
import type { Entry } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import type { Connection } from './client.ts'
import { parseSynchronous } from './config-synchronous.ts'
import { type CommitRule, NO_WAIT, NOBODY } from './decide-durability.ts'
import { holdsLock } from './decide-failover.ts'
import type { UnderLock, UpkeepFacts } from './decide-upkeep.ts'
import { postgresqlKeys, type Sync } from './manifest.ts'
import { readMembers } from './observe-failover.ts'

/** How long busy standbys may take to reach a position that the primary had a moment ago. */
const LEVEL_MS = 1000
/** How often their positions are read meanwhile: a busy standby confirms one every few milliseconds. */
const LOOK_AGAIN_MS = 25

/** What the holder of the lock needs for a change in Consul, beside the facts. */
export interface LockHolder extends UnderLock {
  session: string
  sync: Entry<Sync> | null
}

/** What PostgreSQL and Consul say now of the standbys. The caller holds the advisory lock through `own`. */
export async function observeUpkeep(
  own: Connection,
  context: Context,
): Promise<
  { holder: LockHolder | null } & Pick<UpkeepFacts, 'commit' | 'fileDiffers' | 'streaming' | 'level'>
> {
  const underLock = await readUnderLock(context)
  if (underLock === null)
    return { holder: null, commit: NO_WAIT, fileDiffers: false, streaming: [], level: [] }
  const rule = await readCommitRule(own)
  const listed = underLock.members.map(({ node }) => node)
  // A document that is lost is no leave: commits go on waiting as in a cluster that has this machine.
  const unlisted = await readUnlisted(own, listed)
  const members = [...underLock.members, ...unlisted.map((node) => ({ node, healthy: false }))]
  const standbys = await readStandbys(own, [...listed, ...unlisted])
  return { holder: { ...underLock, members }, ...rule, ...standbys }
}

/** What Consul says now; null if this machine does not hold the lock as the published primary, or Consul does not answer. */
async function readUnderLock({ settings, consul }: Context): Promise<LockHolder | null> {
  const { node } = settings
  const [leadership, sessions, members, config, sync] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(readSessions(consul, node)),
    orUnknown(readMembers({ settings, consul })),
    orUnknown(consul.get(consulKeys.config)),
    orUnknown(consul.get(postgresqlKeys.sync)),
  ])
  if (leadership === UNKNOWN || sessions === UNKNOWN || members === UNKNOWN) return null
  if (config === UNKNOWN || sync === UNKNOWN) return null
  const { leader } = leadership
  const session = leader?.session
  if (!session || !holdsLock({ leader, ownSessions: sessions.own })) return null
  if (currentPrimary(leadership)?.node !== node) return null
  // A rule that another primary wrote says nothing of ours.
  const election = sync?.value.node === node ? sync.value : NOBODY
  return { session, members, mode: config?.value.durability ?? 'quorum', election, sync }
}

/** The rule in effect, and whether the file holds another one, as a run that was killed may leave it. */
async function readCommitRule(own: Connection): Promise<{ commit: CommitRule; fileDiffers: boolean }> {
  const [row] = await own.query<{ now: string; file: string | null }>(
    `select current_setting('synchronous_standby_names') as now,
       (select setting from pg_file_settings where name = 'synchronous_standby_names' order by seqno desc limit 1) as file`,
  )
  if (!row) return { commit: NO_WAIT, fileDiffers: false }
  return { commit: parseSynchronous(row.now), fileDiffers: (row.file ?? '') !== row.now }
}

/** Machines that are registered with repmgr and missing from the list of members in Consul. */
async function readUnlisted(own: Connection, members: readonly string[]): Promise<string[]> {
  const rows = await own.query<{ name: string }>('select node_name as name from repmgr.nodes order by 1')
  return rows.map(({ name }) => name).filter((name) => !members.includes(name))
}

/** Which of the members stream, and which of those have on disk everything that is written by now. */
async function readStandbys(
  own: Connection,
  members: readonly string[],
): Promise<{ streaming: string[]; level: string[] }> {
  const [row] = await own.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')
  const deadline = performance.now() + LEVEL_MS
  for (;;) {
    const rows = await own.query<{ name: string; level: boolean }>(
      `select application_name as name, bool_or(flush_lsn >= $2::pg_lsn) as level from pg_stat_replication
       where state = 'streaming' and application_name = any($1) group by 1 order by 1`,
      [members, row?.lsn ?? null],
    )
    const level = rows.filter((standby) => standby.level)
    if (level.length === rows.length || performance.now() > deadline)
      return { streaming: rows.map(({ name }) => name), level: level.map(({ name }) => name) }
    await pause(LOOK_AGAIN_MS)
  }
}
