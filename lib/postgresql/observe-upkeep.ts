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
import { type Stranger, type Stream, type StreamingMember, sortStreams } from './decide-streams.ts'
import type { UnderLock, UpkeepFacts } from './decide-upkeep.ts'
import { parseLsn } from './lsn.ts'
import { postgresqlKeys, type Sync } from './manifest.ts'
import { readMembers } from './observe-failover.ts'
import { readRegistered, readStreams } from './observe-streams.ts'

/** How long busy standbys may take to reach a position that the primary had a moment ago. */
const LEVEL_MS = 1000
/** How often their positions are read meanwhile: a busy standby confirms one every few milliseconds. */
const LOOK_AGAIN_MS = 25

/** What the holder of the lock needs for a change in Consul, beside the facts. */
export interface LockHolder extends UnderLock {
  session: string
  /** Of the published primary, this machine. */
  epoch: number
  sync: Entry<Sync> | null
}

/** What PostgreSQL and Consul say now of the standbys. The caller holds the advisory lock through `own`. */
export async function observeUpkeep(
  own: Connection,
  context: Context,
): Promise<
  { holder: LockHolder | null } & Pick<UpkeepFacts, 'commit' | 'fileDiffers' | 'streaming' | 'level'> &
    Pick<Standbys, 'strangers' | 'streams'>
> {
  const underLock = await readUnderLock(context)
  if (underLock === null) return { holder: null, commit: NO_WAIT, fileDiffers: false, ...NO_STANDBYS }
  const rule = await readCommitRule(own)
  // A lost document does not mean that the member has left: commits keep waiting as before.
  const listed = underLock.members.map(({ node }) => node)
  const registered = await readRegistered(own)
  const unlisted = registered.filter(({ node }) => !listed.includes(node))
  const members = [...underLock.members, ...unlisted.map((member) => ({ ...member, healthy: false }))]
  return { holder: { ...underLock, members }, ...rule, ...(await readStandbys(own, members)) }
}

/** What Consul says now; null if this machine does not hold the lock as the published primary, or Consul does not answer. */
async function readUnderLock({
  settings,
  consul,
}: Context): Promise<
  (LockHolder & { members: readonly (StreamingMember & UnderLock['members'][number])[] }) | null
> {
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
  const primary = currentPrimary(leadership)
  if (primary?.node !== node) return null
  // A rule that another primary wrote says nothing of ours.
  const own = sync?.value.node === node ? sync.value : null
  const rules = { election: own ?? NOBODY, saysWaits: own?.waits === true }
  return {
    session,
    epoch: primary.epoch,
    members,
    mode: config?.value.durability ?? 'quorum',
    ...rules,
    sync,
  }
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

interface Standbys {
  streaming: string[]
  level: string[]
  /** What uses the name of a member. */
  strangers: readonly Stranger[]
  /** Those of `streaming`. */
  streams: readonly Stream[]
}

const NO_STANDBYS: Standbys = { streaming: [], level: [], strangers: [], streams: [] }

/** Which of the members stream, and which of those have on disk everything that is written by now. */
async function readStandbys(own: Connection, members: readonly StreamingMember[]): Promise<Standbys> {
  const [row] = await own.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')
  const written = parseLsn(row?.lsn ?? '')
  const deadline = performance.now() + LEVEL_MS
  for (;;) {
    const { standbys, strangers } = sortStreams(await readStreams(own), members)
    const caughtUp = standbys.filter(({ streaming }) => streaming)
    const level = caughtUp.filter(({ flushed }) => flushed !== null && flushed >= written)
    if (level.length === caughtUp.length || strangers.length > 0 || performance.now() > deadline)
      return {
        streaming: namesOf(caughtUp),
        level: namesOf(level),
        strangers,
        streams: caughtUp,
      }
    await pause(LOOK_AGAIN_MS)
  }
}

const namesOf = (streams: readonly Stream[]): string[] => streams.map(({ name }) => name).sort()
