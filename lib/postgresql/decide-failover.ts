import type { Entry } from '../consul/entry.ts'
import { unlockedPrimary } from '../consul/leadership.ts'
import type { Leader, Primary } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { positionOf } from './decide-confirmed.ts'
import { NOBODY } from './decide-durability.ts'
import { type Shortage, sayShortages } from './decide-hot-standby.ts'
import { isOlder } from './decide-lineage.ts'
import type { Confirmed, Sync } from './manifest.ts'
import type { LocalDatabase, ProbedDatabase } from './role.ts'

/** What decides between equally good members. */
interface Candidate {
  node: string
  repmgrId: number
  vipPriority: number
  /** Its Consul server leads the others: if it is lost as the primary, they have to elect another leader first. */
  leadsConsul: boolean
}

/** Another member that could be promoted instead of this machine. */
export interface Peer extends Candidate {
  /** Consul says that machine and database are well: it is able to take the lock. */
  healthy: boolean
  /** What its database answers this machine. */
  database: ProbedDatabase | Unknown
}

/** What the database of the published primary says to a candidate: the second witness beside Consul. */
export interface Testimony {
  /** The answer that came since the look before. */
  primaryDatabase: ProbedDatabase | Unknown
  /** How long it has not answered; 0 if it has. */
  silentMs: number
  /** It has answered during this run. */
  hasAnswered: boolean
}

export interface FailoverFacts extends Testimony {
  self: Candidate
  /** The lock; null if it was never taken. */
  leader: Entry<Leader> | null | Unknown
  /** Ids of the living sessions of this machine that may hold the lock. */
  ownSessions: readonly string[] | Unknown
  /** Those of them that the start gate has made for the time of a start; they end on their own. */
  startSessions: readonly string[]
  primary: Primary | null | Unknown
  /** The election rule; null if no primary has written it yet. */
  sync: Sync | null | Unknown
  /** How far commits are confirmed; null if no primary has recorded it yet. */
  confirmed: Confirmed | null | Unknown
  local: LocalDatabase | Unknown
  peers: readonly Peer[]
  /** Since this run first saw the lock free. */
  waitedMs: number
  /** Since this run first saw that this machine holds the lock; 0 if it does not. */
  heldMs: number
  /** Consul's check of the published primary's database has failed. */
  primaryFails: boolean
  /** Since this machine first saw the lock free as it is, in any run; 0 while somebody holds it. */
  unlockedMs: number
  /** What keeps this machine from replaying; null or left out if replay is not paused. */
  shortages?: readonly Shortage[] | null | Unknown
  /** PostgreSQL on this machine was told to become the primary in this run, and did not in time. */
  promotionFailed: boolean
}

/** What tells one holding of the lock from another. */
type LockIndices = Pick<Entry<Leader>, 'lockIndex' | 'modifyIndex'>

/** What to do next. `settled` and `leave` end the run; `wait` looks again; any other step is carried out before the next look. */
export type FailoverPlan =
  | { do: 'settled' | 'leave' | 'wait'; why: string }
  /** A primary serves without the lock: look again, but not as often. */
  | { do: 'watch'; why: string }
  /** Receive nothing more from the old primary: the position no longer moves, and this machine confirms no more commits to it. */
  | { do: 'stop-receiver'; why: string }
  /** Stop the WAL receivers of standbys that have not done so by themselves. */
  | { do: 'stop-other-receivers'; why: string; nodes: string[] }
  /** Start PostgreSQL again with larger settings, which the start gate gives it: it could not be promoted. */
  | { do: 'restart'; why: string }
  /** Take the free lock if it has not changed since the look (its ModifyIndex, 0: never taken). The next look decides what follows. */
  | { do: 'lock'; why: string; modifyIndex: number }
  /** Give the lock back to a better candidate. `restart`: PostgreSQL forgets first that it was to become the primary. */
  | { do: 'unlock'; why: string; session: string; restart?: true }
  /** Hand the lock from the start gate's session to a lasting one. */
  | { do: 'adopt'; why: string; session: string }
  /** `timeline`: the one that this machine leaves. */
  | { do: 'promote'; why: string; session: string; timeline: number }
  /** Publish this machine in the place of `replaces`, which must still be the published primary. */
  | { do: 'publish'; why: string; session: string; lock: LockIndices; timeline: number; replaces: Primary }

/** How long a candidate gives way to an equally good one that is preferred: as long as two runs of a handler take. */
export const GIVE_WAY_MS = 1500

/**
 * If commits did not wait: how long a candidate waits for a healthy member that does not say how much WAL it has received, which
 * may be more.
 */
export const SILENT_PEER_MS = 5000

/**
 * If commits did not wait: how long the lock must have been free before another machine takes it from a primary that is silent. A
 * machine that is cut off acknowledges until it has stopped itself, which takes 9 to 12 s, and longer while a standby still reaches
 * it (docs/design/fencing.md).
 */
export const FENCED_MS = 15_000

/**
 * How long a candidate keeps the lock while healthy voters are silent. All members are busy with the same event, and a login may take
 * longer than a look waits. If the lock is given back, every member looks again, and none of them is less busy.
 */
export const SILENT_VOTERS_MS = 3000

/** How long other standbys have to stop their WAL receivers by themselves, by the same event, before a candidate does it. */
const STOP_OTHERS_MS = 2000

/**
 * How long a primary that answers, but has lost the lock, has to take it back. Then its standbys leave it: without them it can
 * acknowledge nothing, and stops by itself (lib/postgresql/decide-fence.ts).
 */
export const TAKE_BACK_MS = 5000

/**
 * How long a primary that serves without its lock has to take it back: its commits wait for standbys, its database answers, and no
 * check of it has failed. Its Consul agent is away, for example during an upgrade, which may take a minute.
 */
export const AGENT_AWAY_MS = 90_000

/**
 * How long the primary must have been silent before a machine that holds the lock is promoted. It is asked twice in that time, as a
 * busy machine may answer late, and a packet may be lost.
 */
export const SILENT_MS = 500

/**
 * How long a primary that has answered in this run must have been silent: before a promotion, and before anything else is done too.
 * Its machine is busy, and the lock would be taken and given back again and again.
 */
export const SILENT_AGAIN_MS = 2000

/**
 * SQLSTATE of a server that lets nobody in: it starts, recovers from a crash or shuts down. It has TAKE_BACK_MS like any primary
 * that answers, and then it is not waited for, as a recovery may take hours (S3). It can acknowledge nothing by then: no client
 * gets in, and a commit from before waits for standbys of which enough have stopped their WAL receivers, as every promotion
 * requires (S1, S2). If it comes up meanwhile, it answers as a primary, and the next look refuses.
 */
const CANNOT_CONNECT_NOW = '57P03'

/** Does a living session of this machine hold the lock? */
export function holdsLock({ leader, ownSessions }: Pick<FailoverFacts, 'leader' | 'ownSessions'>): boolean {
  if (leader === UNKNOWN || ownSessions === UNKNOWN || !leader?.session) return false
  return ownSessions.includes(leader.session)
}

/**
 * The promotion gate, called again after every step until it says `settled` or `leave`. The lock is taken first, and everything is
 * verified once more while this machine holds it.
 */
export function decideFailover(facts: FailoverFacts): FailoverPlan {
  const { leader, primary, local, ownSessions } = facts
  if (leader === UNKNOWN || primary === UNKNOWN || ownSessions === UNKNOWN) {
    return { do: 'wait', why: 'Consul gives no consistent answer' }
  }
  if (primary === null) return { do: 'leave', why: 'this cluster has no primary yet' }
  if (local === UNKNOWN) return { do: 'wait', why: 'PostgreSQL on this machine does not answer' }
  if (local.role === 'down') return { do: 'leave', why: 'PostgreSQL on this machine does not run' }

  const holder = leader?.session ?? null
  if (holder !== null && !holdsLock(facts)) {
    return { do: 'settled', why: `the lock is held by ${leader?.value.node}` }
  }
  return local.role === 'primary'
    ? decidePrimary(facts, primary, local.timeline, holder)
    : decideStandby(facts, primary, local, holder)
}

/** A running primary keeps its lock and its publication up to date; one that was replaced touches neither. */
function decidePrimary(
  facts: FailoverFacts,
  primary: Primary,
  timeline: number,
  holder: string | null,
): FailoverPlan {
  const { self } = facts
  const leader = facts.leader === UNKNOWN ? null : facts.leader
  const ours = primary.node === self.node
  // Promoted under the lock, which no other machine has held since: only the publication is missing.
  const unpublished = timeline > primary.timeline && leader?.value.node === self.node
  if (holder === null) {
    if (ours) return takeLock(facts, 'this machine is the primary, and the lock is free')
    if (unpublished)
      return takeLock(facts, 'this machine was promoted, but lost the lock before it was published')
    return { do: 'leave', why: `${primary.node} is the primary` }
  }
  if (!ours && !unpublished) {
    return { do: 'unlock', why: `${primary.node} has become the primary`, session: holder }
  }
  if (facts.startSessions.includes(holder))
    return {
      do: 'adopt',
      why: 'PostgreSQL has started, so the lock moves from the temporary session to a lasting one',
      session: holder,
    }
  const { lockIndex, modifyIndex } = leader ?? { lockIndex: 0, modifyIndex: 0 }
  const isUnderIt = primary.epoch === lockIndex && primary.index === modifyIndex
  if (ours && isUnderIt && primary.timeline === timeline)
    return { do: 'settled', why: 'this machine is the primary and holds the lock' }
  return {
    do: 'publish',
    why: ours ? 'the published epoch is old' : 'this machine was promoted, but is not published yet',
    session: holder,
    lock: { lockIndex, modifyIndex },
    timeline,
    replaces: primary,
  }
}

type Standby = LocalDatabase & { role: 'standby' }

function decideStandby(
  facts: FailoverFacts,
  primary: Primary,
  local: Standby,
  holder: string | null,
): FailoverPlan {
  const { self, leader, sync, primaryDatabase, waitedMs, promotionFailed } = facts
  const lastHolder = leader === UNKNOWN ? undefined : leader?.value.node
  const refuse = (why: string): FailoverPlan =>
    holder === null ? { do: 'wait', why } : { do: 'unlock', why, session: holder }

  if (sync === UNKNOWN) return { do: 'wait', why: 'Consul gives no consistent answer' }
  const { voters: names, need } = sync ?? NOBODY
  const permitted = names.includes(self.node)
  const signOfLife = primary.node === self.node ? null : signOfLifeOf(primary.node, primaryDatabase)
  if (holder === null && !local.receiverStopped && servesUnlocked(facts, primary))
    return { do: 'watch', why: `${primary.node} serves without the lock: its Consul agent is away` }
  const isLate = waitedMs >= TAKE_BACK_MS
  if (signOfLife !== null) {
    const mustStopFirst = local.receiverStopped && !letsNobodyIn(primaryDatabase)
    if (!isLate || mustStopFirst) return refuse(signOfLife)
  }
  const unable = whyUnable(local, primary, permitted)
  if (unable !== null) {
    // While it streams, the primary does not stop, and so the voters wait for ever.
    const leaves = isLate && names.length > 0 && !local.receiverStopped && primary.node !== self.node
    if (!leaves || holder !== null) return refuse(unable)
    return { do: 'stop-receiver', why: `${primary.node} has lost the lock` }
  }
  const silenceMs = facts.hasAnswered ? SILENT_AGAIN_MS : holder === null ? 0 : SILENT_MS
  if (primary.node !== self.node && primaryDatabase === UNKNOWN && facts.silentMs < silenceMs)
    return { do: 'wait', why: `${primary.node} has not been silent for ${silenceMs} ms` }
  // A promotion would end a server that is paused as a setting is too small.
  if (facts.shortages === UNKNOWN)
    return { do: 'wait', why: 'replay is paused, and the database does not say why' }
  // While replay is paused, the WAL receiver does not stop either.
  if (facts.shortages && facts.shortages.length > 0)
    return { do: 'restart', why: `replay is paused: ${sayShortages(facts.shortages)}` }
  if (!local.receiverStopped)
    return {
      do: 'stop-receiver',
      why: signOfLife === null ? `${primary.node} is gone` : `${primary.node} has lost the lock`,
    }

  const healthy = facts.peers.filter((peer) => peer.healthy && peer.node !== primary.node)
  // The last holder of the lock may have been promoted and may still publish itself; any other was replaced or never held it.
  const rival = healthy.find(({ node }) => node === lastHolder)
  if (rival && rival.database !== UNKNOWN) {
    const { node, database } = rival
    if (database.role === 'primary' && database.timeline > primary.timeline)
      return refuse(`${node} already runs as a primary`)
    if (database.role === 'alive' && waitedMs < TAKE_BACK_MS)
      return refuse(`${node} held the lock last, and its database is alive: ${database.says}`)
  }

  const voters = facts.peers.filter(({ node }) => names.includes(node))
  // Also one that cannot take the lock now: what it has may have been acknowledged, unless commits did not wait.
  const ahead = voters.find((peer) => isAhead(peer.database, local) && (peer.healthy || need > 1))
  if (ahead) return refuse(`${ahead.node} has received more WAL`)
  if (facts.confirmed === UNKNOWN) return { do: 'wait', why: 'Consul gives no consistent answer' }
  if (lacksConfirmed(local, facts.confirmed))
    return refuse('this machine lacks WAL that was confirmed: its data is older than it was')
  const seen = voters.filter(({ database }) => isStopped(database))
  if (seen.length + 1 < need) {
    const moving = voters.filter(({ database }) => isMoving(database)).map((peer) => peer.node)
    if (moving.length > 0 && waitedMs >= STOP_OTHERS_MS)
      return {
        do: 'stop-other-receivers',
        why: `these WAL receivers have not stopped by themselves: ${moving.join(', ')}`,
        nodes: moving,
      }
    const missing = names
      .filter((node) => node !== self.node && !seen.some((peer) => peer.node === node))
      .map((node) => node + reasonOf(voters.find((peer) => peer.node === node)?.database ?? UNKNOWN))
    const why = `${seen.length + 1} of the ${need} voters needed have stopped their WAL receivers; waiting for ${missing.join(', ')}`
    const silent = voters.filter(({ healthy, database }) => healthy && database === UNKNOWN)
    const mayAnswer = facts.heldMs < SILENT_VOTERS_MS && seen.length + 1 + silent.length >= need
    return mayAnswer ? { do: 'wait', why } : refuse(why)
  }
  // If commits did not wait, anything that another member has received may have been acknowledged.
  const silent = need === 1 && voters.find((peer) => peer.healthy && !isStopped(peer.database))
  if (silent && waitedMs < SILENT_PEER_MS) {
    const { node, database } = silent
    return refuse(`${node} has not said how much WAL it has received${reasonOf(database)}`)
  }
  const mayAcknowledge = sync?.waits === false && primaryDatabase === UNKNOWN && primary.node !== self.node
  if (holder === null && mayAcknowledge && facts.unlockedMs < FENCED_MS)
    return {
      do: 'wait',
      why: `${primary.node} is silent, and may acknowledge commits until it has stopped itself`,
    }
  const preferred = seen.find(
    (peer) =>
      peer.healthy &&
      isLevel(peer.database, local) &&
      (promotionFailed || isPreferred(peer, self, replayAdvantage(peer.database, local), sync?.prefer)),
  )
  if (holder !== null && preferred && promotionFailed)
    return {
      do: 'unlock',
      why: `PostgreSQL on this machine does not become the primary, and ${preferred.node} has as much`,
      session: holder,
      restart: true,
    }
  if (holder === null && preferred && waitedMs < GIVE_WAY_MS)
    return { do: 'wait', why: `${preferred.node} is an equally good candidate and is preferred` }

  const why = `${primary.node} is gone; of the voters seen (${seen.length + 1}), none has received more WAL`
  return holder === null
    ? takeLock(facts, why)
    : { do: 'promote', why, session: holder, timeline: local.timeline }
}

/** The lock as it was seen: a slow candidate must not take it after others have had it. */
const takeLock = ({ leader }: FailoverFacts, why: string): FailoverPlan => ({
  do: 'lock',
  why,
  modifyIndex: leader === UNKNOWN ? 0 : (leader?.modifyIndex ?? 0),
})

/** A position that standbys have confirmed is on one of every set of voters that may elect, and none of those seen is ahead. */
function lacksConfirmed(local: Standby, confirmed: Confirmed | null): boolean {
  if (confirmed === null || confirmed.standbys === 0) return false
  return isOlder({ timeline: local.timeline, lsn: local.receivedLsn }, positionOf(confirmed))
}

/** Why this machine may not be promoted, whoever else answers; or null. */
function whyUnable(local: Standby, primary: Primary, permitted: boolean): string | null {
  if (local.timeline < primary.timeline)
    return `this machine is on timeline ${local.timeline}, the cluster on ${primary.timeline}`
  return permitted ? null : 'this machine is not a voter: it may lack acknowledged commits'
}

/** May the published primary go on without its lock? It acknowledges nothing that no standby has, and is well as far as can be seen. */
function servesUnlocked(
  { leader, sync, primaryDatabase, primaryFails, unlockedMs }: FailoverFacts,
  primary: Primary,
): boolean {
  if (leader === UNKNOWN || sync === UNKNOWN || primaryDatabase === UNKNOWN) return false
  if (primaryFails || unlockedMs >= AGENT_AWAY_MS || unlockedPrimary({ leader, primary }) === null)
    return false
  return primaryDatabase.role === 'primary' && sync?.node === primary.node && sync.waits === true
}

/** Why the published primary may still be one, or null. */
function signOfLifeOf(node: string, database: ProbedDatabase | Unknown): string | null {
  if (database === UNKNOWN) return null
  if (database.role === 'primary') return `the database of ${node} still answers`
  return database.role === 'alive' ? `the database of ${node} is alive: ${database.says}` : null
}

const letsNobodyIn = (database: ProbedDatabase | Unknown): boolean =>
  database !== UNKNOWN && database.role === 'alive' && database.sqlstate === CANNOT_CONNECT_NOW

/** What a database has answered in place of its role, to be put behind the name of its machine. */
const reasonOf = (database: ProbedDatabase | Unknown): string =>
  database !== UNKNOWN && database.role === 'alive' ? ` (${database.says})` : ''

const isStopped = (database: ProbedDatabase | Unknown): boolean =>
  database !== UNKNOWN && database.role === 'standby' && database.receiverStopped

const isMoving = (database: ProbedDatabase | Unknown): boolean =>
  database !== UNKNOWN && database.role === 'standby' && !database.receiverStopped

const isAhead = (peer: ProbedDatabase | Unknown, own: Standby): boolean =>
  peer !== UNKNOWN &&
  peer.role === 'standby' &&
  (peer.timeline > own.timeline || (peer.timeline === own.timeline && peer.receivedLsn > own.receivedLsn))

const isLevel = (peer: ProbedDatabase | Unknown, own: Standby): boolean =>
  peer !== UNKNOWN &&
  peer.role === 'standby' &&
  peer.timeline === own.timeline &&
  peer.receivedLsn === own.receivedLsn

/** 1 if the peer has replayed all that it has received and this machine has not, -1 the other way round, else 0. */
function replayAdvantage(peer: ProbedDatabase | Unknown, own: Standby): number {
  const isThrough = (one: Standby): number => Number(one.replayedLsn >= one.receivedLsn)
  return peer !== UNKNOWN && peer.role === 'standby' ? isThrough(peer) - isThrough(own) : 0
}

/**
 * Of equally good members one that has replayed everything is preferred, then the one that the former primary has named, then one that
 * does not lead Consul, then the higher priority, then the lower repmgr id.
 */
function isPreferred(peer: Candidate, self: Candidate, replay: number, named?: string): boolean {
  if (replay !== 0) return replay > 0
  if (named === peer.node || named === self.node) return named === peer.node
  if (peer.leadsConsul !== self.leadsConsul) return self.leadsConsul
  if (peer.vipPriority !== self.vipPriority) return peer.vipPriority > self.vipPriority
  return peer.repmgrId < self.repmgrId
}
