import { currentPrimary, type Leadership, unlockedPrimary } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface LeadFacts {
  leadership: Leadership | Unknown
  /** In this run everything on this machine has followed the primary once. */
  followed: boolean
  /** The epoch of the primary that there was about when that began; null: there was none, or Consul did not answer. */
  followedEpoch: number | null
  /** The virtual IP has followed a machine that holds the lock, but is not published yet. */
  addressMoved: boolean
  /** How long this run has seen the lock held by the same machine, without a break. */
  heldMs: number
  /** Since PgBouncer has last followed. */
  pooledMs: number
  elapsedMs: number
}

export interface LeadPlan {
  /** `follow`: everything; `move-address`: only the virtual IP; `pool`: only PgBouncer; `wait` looks again; `nothing` ends the run. */
  do: 'follow' | 'move-address' | 'pool' | 'wait' | 'nothing'
  why: string
}

/** How long after its start a run still waits for a new primary: longer than a failover takes, as the next event waits for this run. */
const ELECTION_MS = 4000

/**
 * How long a machine must have held the lock before the virtual IP goes ahead to it: longer than its second look at the former primary
 * takes, after which it may give the lock back. Mostly it is published by then.
 */
const SETTLED_MS = 200

/** How often PgBouncer asks a primary that has lost its lock: one that was too busy to answer may serve its clients all the same. */
const POOL_AGAIN_MS = 500

/**
 * Everything follows the primary at once. If there is none, the run waits for the new one: clients are held back by then, and the
 * start of another process would cost them more time. The virtual IP goes ahead, so that clients wait where they will be served.
 */
export function decideLead({
  leadership,
  followed,
  followedEpoch,
  addressMoved,
  heldMs,
  pooledMs,
  elapsedMs,
}: LeadFacts): LeadPlan {
  if (!followed) return { do: 'follow', why: 'the primary may have changed' }
  if (leadership === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer' }
  const { leader, primary } = leadership
  if (primary === null) return { do: 'nothing', why: 'there is no primary yet' }
  const current = currentPrimary(leadership)
  if (current) {
    if (current.index !== followedEpoch) return { do: 'follow', why: `${current.node} is the primary now` }
    return { do: 'nothing', why: `${current.node} is the primary` }
  }
  if (elapsedMs >= ELECTION_MS) return { do: 'nothing', why: `no primary after ${ELECTION_MS} ms` }
  if (leader?.session && !addressMoved && heldMs >= SETTLED_MS)
    return { do: 'move-address', why: `${leader.value.node} holds the lock` }
  if (unlockedPrimary(leadership) && pooledMs >= POOL_AGAIN_MS)
    return { do: 'pool', why: `the lock is free, and no machine but ${primary.node} has had it` }
  return { do: 'wait', why: 'no machine is the primary at this moment' }
}
