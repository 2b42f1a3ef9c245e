import type { Entry, Leader, Primary } from '../kv.ts'
import { type LocalDatabase, UNKNOWN, type Unknown } from './facts.ts'

/** Another member that could be promoted instead of us. */
export interface Peer {
  node: string
  repmgrId: number
  vipPriority: number
  /** Consul says that machine and database are well: it is able to take the lock. */
  healthy: boolean
  /** What its database told us, or unknown where it did not answer. */
  database: LocalDatabase | Unknown
}

export interface FailoverFacts {
  self: { node: string; repmgrId: number; vipPriority: number }
  /** The lock; null where it was never taken. */
  leader: Entry<Leader> | null | Unknown
  /** Ids of our own living sessions that may hold the lock. */
  ownSessions: readonly string[] | Unknown
  /** Those of them that end on their own: made by the start gate for the time of a start. */
  startSessions: readonly string[]
  primary: Primary | null | Unknown
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
  /** Take the free lock; the next look decides what to do with it. */
  | { do: 'lock'; why: string }
  /** Give the lock back to a better candidate. */
  | { do: 'unlock'; why: string; session: string }
  /** Hand the lock from the start gate's session to a lasting one. */
  | { do: 'adopt'; why: string; session: string }
  | { do: 'promote'; why: string; session: string }
  /** Publish ourselves in the place of `replaces`, which must still be what is published. */
  | { do: 'publish'; why: string; session: string; epoch: number; timeline: number; replaces: Primary }

/** How long candidates that are equally good give way to the preferred one before they act themselves. */
export const GIVE_WAY_MS = 1500

/** How long a member that Consul calls healthy, but that does not answer us, is waited for. */
export const SILENT_PEER_MS = 5000

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
    if (ours) return { do: 'lock', why: 'the lock of the healthy primary was free' }
    if (unpublished) return { do: 'lock', why: 'promoted, but the lock was lost before it was published' }
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

function decideStandby(
  facts: FailoverFacts,
  primary: Primary,
  local: LocalDatabase & { role: 'standby' },
  holder: string | null,
): FailoverPlan {
  const { self, leader, primaryDatabase, waitedMs } = facts
  const lastHolder = leader === UNKNOWN ? undefined : leader?.value.node
  const refuse = (why: string): FailoverPlan =>
    holder === null ? { do: 'wait', why } : { do: 'unlock', why, session: holder }

  if (primary.node !== self.node && primaryDatabase !== UNKNOWN && primaryDatabase.role === 'primary') {
    return refuse(`the database of ${primary.node} still answers`)
  }
  if (local.timeline < primary.timeline)
    return refuse(`we are on timeline ${local.timeline}, the cluster on ${primary.timeline}`)

  const rivals = facts.peers.filter((peer) => peer.healthy && peer.node !== primary.node)
  // A primary that was promoted under the lock may still publish itself; any other was replaced or never held it.
  const running = rivals.find(
    (peer) =>
      peer.node === lastHolder &&
      peer.database !== UNKNOWN &&
      peer.database.role === 'primary' &&
      peer.database.timeline > primary.timeline,
  )
  if (running) return refuse(`${running.node} runs as a primary already`)
  const ahead = rivals.find((peer) => isAhead(peer.database, local))
  if (ahead) return refuse(`${ahead.node} has received more`)
  // What a standby has that does not tell may have been acknowledged; Consul says that it is well, so it soon will.
  const silent = rivals.find((peer) => peer.database === UNKNOWN)
  if (silent && waitedMs < SILENT_PEER_MS) return refuse(`${silent.node} does not tell what it has received`)
  const preferred = rivals.find((peer) => isLevel(peer.database, local) && isPreferred(peer, self))
  if (holder === null && preferred && waitedMs < GIVE_WAY_MS)
    return { do: 'wait', why: `${preferred.node} is equally good and preferred` }

  if (holder === null) return { do: 'lock', why: `${primary.node} is gone and no member is ahead of us` }
  return { do: 'promote', why: `${primary.node} is gone and no member is ahead of us`, session: holder }
}

const isAhead = (peer: LocalDatabase | Unknown, own: LocalDatabase & { role: 'standby' }): boolean =>
  peer !== UNKNOWN &&
  peer.role === 'standby' &&
  (peer.timeline > own.timeline || (peer.timeline === own.timeline && peer.receivedLsn > own.receivedLsn))

const isLevel = (peer: LocalDatabase | Unknown, own: LocalDatabase & { role: 'standby' }): boolean =>
  peer !== UNKNOWN &&
  peer.role === 'standby' &&
  peer.timeline === own.timeline &&
  peer.receivedLsn === own.receivedLsn

/** Ties go by priority (the higher), then by repmgr id (the lower). */
const isPreferred = (peer: Peer, self: FailoverFacts['self']): boolean =>
  peer.vipPriority !== self.vipPriority ? peer.vipPriority > self.vipPriority : peer.repmgrId < self.repmgrId
