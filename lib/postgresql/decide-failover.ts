import type { Entry } from '../consul/entry.ts'
import type { Leader, Primary } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { NOBODY } from './decide-durability.ts'
import type { Sync } from './manifest.ts'
import type { LocalDatabase } from './role.ts'

/** What the choice between equally good members hangs on. */
interface Candidate {
  node: string
  repmgrId: number
  vipPriority: number
  /** Its Consul server leads the others: where it is lost as the primary, they have to elect another one first. */
  leadsConsul: boolean
}

/** Another member that could be promoted instead of us. */
export interface Peer extends Candidate {
  /** Consul says that machine and database are well: it is able to take the lock. */
  healthy: boolean
  /** What its database told us, or unknown where it did not answer. */
  database: LocalDatabase | Unknown
}

export interface FailoverFacts {
  self: Candidate
  /** The lock; null where it was never taken. */
  leader: Entry<Leader> | null | Unknown
  /** Ids of our own living sessions that may hold the lock. */
  ownSessions: readonly string[] | Unknown
  /** Those of them that end on their own: made by the start gate for the time of a start. */
  startSessions: readonly string[]
  primary: Primary | null | Unknown
  /** Who may be promoted and how many must be seen; null where no primary has written it. */
  sync: Sync | null | Unknown
  local: LocalDatabase | Unknown
  /** What the database of the published primary answers *us*: the second witness beside Consul. */
  primaryDatabase: LocalDatabase | Unknown
  peers: readonly Peer[]
  /** Since this run first saw the lock free. */
  waitedMs: number
}

/** What to do next. `settled` and `leave` end the run; `wait` looks again; the others are done, then looked at again. */
export type FailoverPlan =
  | { do: 'settled' | 'leave' | 'wait'; why: string }
  /** Take no more from the old primary, so that our position stays as it is and it gets no confirmation from us. */
  | { do: 'stop-receiver'; why: string }
  /** Make other standbys stand still that have not done so by themselves. */
  | { do: 'stop-other-receivers'; why: string; nodes: string[] }
  /** Take the free lock if it is as it was seen (its ModifyIndex, 0: never taken); the next look decides what to do with it. */
  | { do: 'lock'; why: string; modifyIndex: number }
  /** Give the lock back to a better candidate. */
  | { do: 'unlock'; why: string; session: string }
  /** Hand the lock from the start gate's session to a lasting one. */
  | { do: 'adopt'; why: string; session: string }
  | { do: 'promote'; why: string; session: string }
  /** Publish ourselves in the place of `replaces`, which must still be what is published. */
  | { do: 'publish'; why: string; session: string; epoch: number; timeline: number; replaces: Primary }

/** How long candidates that are equally good give way to the preferred one before they act themselves. */
export const GIVE_WAY_MS = 1500

/** How long a member that Consul calls healthy, but that does not tell, is waited for where commits did not wait. */
export const SILENT_PEER_MS = 5000

/** How long other standbys have to stand still by themselves, by the same event, before they are made to. */
const STOP_OTHERS_MS = 2000

/**
 * How long a primary that answers, but has lost the lock, has to take it back. Then its standbys leave it: without them it can
 * acknowledge nothing, and stops by itself (lib/postgresql/decide-fence.ts).
 */
export const TAKE_BACK_MS = 5000

/** Does this machine hold the lock, by a session that lives? */
export function holdsLock({ leader, ownSessions }: Pick<FailoverFacts, 'leader' | 'ownSessions'>): boolean {
  if (leader === UNKNOWN || ownSessions === UNKNOWN || !leader?.session) return false
  return ownSessions.includes(leader.session)
}

/**
 * The gate that every promotion passes: pure, called again after every step until it says `settled` or `leave`.
 * The lock is taken first and everything is verified once more while it is held.
 */
export function decideFailover(facts: FailoverFacts): FailoverPlan {
  const { leader, primary, local, ownSessions } = facts
  if (leader === UNKNOWN || primary === UNKNOWN || ownSessions === UNKNOWN) {
    return { do: 'wait', why: 'Consul gives no consistent answer' }
  }
  if (primary === null) return { do: 'leave', why: 'this cluster has no primary yet' }
  if (local === UNKNOWN) return { do: 'wait', why: 'PostgreSQL does not answer here' }
  if (local.role === 'down') return { do: 'leave', why: 'PostgreSQL does not run here' }

  const holder = leader?.session ?? null
  if (holder !== null && !holdsLock(facts)) {
    return { do: 'settled', why: `the lock is held by ${leader?.value.node}` }
  }
  return local.role === 'primary'
    ? decidePrimary(facts, primary, local.timeline, holder)
    : decideStandby(facts, primary, local, holder)
}

/** A running primary keeps its lock and what is published true; one that was replaced touches neither. */
function decidePrimary(
  facts: FailoverFacts,
  primary: Primary,
  timeline: number,
  holder: string | null,
): FailoverPlan {
  const { self } = facts
  const leader = facts.leader === UNKNOWN ? null : facts.leader
  const ours = primary.node === self.node
  // Promoted under the lock, which nobody has held since: only the publication is missing.
  const unpublished = timeline > primary.timeline && leader?.value.node === self.node
  if (holder === null) {
    if (ours) return takeLock(facts, 'the lock of the healthy primary was free')
    if (unpublished) return takeLock(facts, 'promoted, but the lock was lost before it was published')
    return { do: 'leave', why: `${primary.node} is the primary` }
  }
  if (!ours && !unpublished) {
    return { do: 'unlock', why: `${primary.node} is the primary since`, session: holder }
  }
  if (facts.startSessions.includes(holder))
    return { do: 'adopt', why: 'PostgreSQL has started', session: holder }
  const epoch = leader?.lockIndex ?? 0
  if (ours && primary.epoch === epoch && primary.timeline === timeline)
    return { do: 'settled', why: 'primary, and it holds the lock' }
  return {
    do: 'publish',
    why: ours ? 'the published epoch is old' : 'promoted, but not yet published',
    session: holder,
    epoch,
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
  const { self, leader, sync, primaryDatabase, waitedMs } = facts
  const lastHolder = leader === UNKNOWN ? undefined : leader?.value.node
  const refuse = (why: string): FailoverPlan =>
    holder === null ? { do: 'wait', why } : { do: 'unlock', why, session: holder }

  if (sync === UNKNOWN) return { do: 'wait', why: 'Consul gives no consistent answer' }
  const { voters: names, need } = sync ?? NOBODY
  const permitted = names.includes(self.node)
  const answers = primaryDatabase !== UNKNOWN && primaryDatabase.role === 'primary'
  if (
    primary.node !== self.node &&
    answers &&
    (waitedMs < TAKE_BACK_MS || local.receiverStopped || !permitted)
  )
    return refuse(`the database of ${primary.node} still answers`)
  if (local.timeline < primary.timeline)
    return refuse(`we are on timeline ${local.timeline}, the cluster on ${primary.timeline}`)
  if (!permitted)
    return refuse('we may lack what was acknowledged: we are not among those who may be promoted')
  if (!local.receiverStopped)
    return {
      do: 'stop-receiver',
      why: answers ? `${primary.node} has lost the lock` : `${primary.node} is gone`,
    }

  const healthy = facts.peers.filter((peer) => peer.healthy && peer.node !== primary.node)
  // A primary that was promoted under the lock may still publish itself; any other was replaced or never held it.
  const running = healthy.find(
    (peer) =>
      peer.node === lastHolder &&
      peer.database !== UNKNOWN &&
      peer.database.role === 'primary' &&
      peer.database.timeline > primary.timeline,
  )
  if (running) return refuse(`${running.node} runs as a primary already`)

  const voters = facts.peers.filter(({ node }) => names.includes(node))
  // Also one that cannot take the lock now, as what it has may have been acknowledged; unless commits did not wait.
  const ahead = voters.find((peer) => isAhead(peer.database, local) && (peer.healthy || need > 1))
  if (ahead) return refuse(`${ahead.node} has received more`)
  const seen = voters.filter(({ database }) => isStopped(database))
  if (seen.length + 1 < need) {
    const moving = voters.filter(({ database }) => isMoving(database)).map((peer) => peer.node)
    if (moving.length > 0 && waitedMs >= STOP_OTHERS_MS)
      return {
        do: 'stop-other-receivers',
        why: `${moving.join(', ')} has not stood still by itself`,
        nodes: moving,
      }
    const missing = names.filter((node) => node !== self.node && !seen.some((peer) => peer.node === node))
    return refuse(
      `${seen.length + 1} of the ${need} that must be seen: ${missing.join(', ')} does not stand still`,
    )
  }
  // Where commits did not wait, what one that does not tell has received may have been acknowledged.
  const silent = need === 1 && voters.find((peer) => peer.healthy && !isStopped(peer.database))
  if (silent && waitedMs < SILENT_PEER_MS) return refuse(`${silent.node} does not tell what it has received`)
  const preferred = seen.find(
    (peer) => peer.healthy && isLevel(peer.database, local) && isPreferred(peer, self),
  )
  if (holder === null && preferred && waitedMs < GIVE_WAY_MS)
    return { do: 'wait', why: `${preferred.node} is equally good and preferred` }

  const why = `${primary.node} is gone and none of ${seen.length + 1} is ahead of us`
  return holder === null ? takeLock(facts, why) : { do: 'promote', why, session: holder }
}

/** As it was seen: whoever is slow must not take it after others have had it. */
const takeLock = ({ leader }: FailoverFacts, why: string): FailoverPlan => ({
  do: 'lock',
  why,
  modifyIndex: leader === UNKNOWN ? 0 : (leader?.modifyIndex ?? 0),
})

const isStopped = (database: LocalDatabase | Unknown): boolean =>
  database !== UNKNOWN && database.role === 'standby' && database.receiverStopped

const isMoving = (database: LocalDatabase | Unknown): boolean =>
  database !== UNKNOWN && database.role === 'standby' && !database.receiverStopped

const isAhead = (peer: LocalDatabase | Unknown, own: Standby): boolean =>
  peer !== UNKNOWN &&
  peer.role === 'standby' &&
  (peer.timeline > own.timeline || (peer.timeline === own.timeline && peer.receivedLsn > own.receivedLsn))

const isLevel = (peer: LocalDatabase | Unknown, own: Standby): boolean =>
  peer !== UNKNOWN &&
  peer.role === 'standby' &&
  peer.timeline === own.timeline &&
  peer.receivedLsn === own.receivedLsn

/** Ties go to whoever does not lead Consul, then by priority (the higher), then by repmgr id (the lower). */
function isPreferred(peer: Candidate, self: Candidate): boolean {
  if (peer.leadsConsul !== self.leadsConsul) return self.leadsConsul
  if (peer.vipPriority !== self.vipPriority) return peer.vipPriority > self.vipPriority
  return peer.repmgrId < self.repmgrId
}
