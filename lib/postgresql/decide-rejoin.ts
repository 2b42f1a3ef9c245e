import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import type { Primary } from '../consul/manifest.ts'
import { dueAtMs, type Failure } from '../core/decide-backoff.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Lineage } from './decide-lineage.ts'
import type { LocalDatabase } from './role.ts'

export interface RejoinFacts {
  node: string
  leadership: Leadership | Unknown
  local: LocalDatabase | Unknown
  /**
   * `intact`: PostgreSQL can start from the data directory; `unpublished`: this machine was promoted and perhaps never published;
   * `torn`: a rewind was interrupted; `missing`: there is none.
   */
  data: 'intact' | 'unpublished' | 'torn' | 'missing'
  /** standby.signal is there. */
  standbySignal: boolean
  /** dpkg is at work on PostgreSQL: its files may be of two versions, and it starts PostgreSQL itself when it has ended. */
  replaced: boolean
  /** Whether a standby that does not stream can continue with the primary; null if the question does not arise. */
  lineage: Lineage | null | Unknown
  /** The failed attempts since the last one that succeeded; null if there are none. */
  failure: Failure | null
  nowMs: number
}

export type RejoinPlan =
  | { do: 'nothing' | 'wait'; why: string }
  /** Start PostgreSQL, which is a standby already, or the primary. */
  | { do: 'start'; why: string }
  /** Stop PostgreSQL and start it as a standby that receives nothing, so that it takes part in the election. */
  | { do: 'stand-by'; why: string }
  /** Stop PostgreSQL, rewind its data to the primary (or clone the primary if that fails), start it as a standby. */
  | { do: 'rewind' | 'clone'; why: string; primary: Primary }

/** Why the data directory is no use to a standby. */
const UNUSABLE = {
  unpublished: 'this machine was promoted, but perhaps never published',
  torn: 'a rewind of the data directory was interrupted',
  missing: 'there is no data directory',
} as const

/** How a former primary, or a standby that cannot continue, becomes a standby again. */
export function decideRejoin(facts: RejoinFacts): RejoinPlan {
  const { node, leadership, local, data, standbySignal, lineage, failure, nowMs } = facts
  if (failure && nowMs < dueAtMs(failure, nowMs))
    return {
      do: 'wait',
      why: `the last attempt has failed, and it is too early for the next one: ${failure.reason}`,
    }
  if (facts.replaced) return { do: 'wait', why: 'dpkg is replacing PostgreSQL' }
  if (leadership === UNKNOWN) return { do: 'wait', why: 'Consul does not answer' }
  const down = local !== UNKNOWN && local.role === 'down'
  if (leadership.primary?.node === node) {
    // Fenced, and no other machine has taken over meanwhile. The start gate takes the lock.
    const whole = data === 'intact' || data === 'unpublished'
    if (down && whole && !standbySignal) return { do: 'start', why: 'this machine is the primary' }
    return { do: 'nothing', why: 'this machine is the primary' }
  }
  const primary = currentPrimary(leadership)
  if (!primary) return withoutPrimary(facts, down && leadership.leader?.session === null)
  if (data !== 'intact') return { do: 'clone', why: UNUSABLE[data], primary }
  if (standbySignal && local === UNKNOWN) return { do: 'wait', why: 'PostgreSQL does not answer' }
  if (local !== UNKNOWN && local.role === 'standby') {
    if (lineage === 'diverged')
      return { do: 'rewind', why: `this standby has WAL that ${primary.node} does not have`, primary }
    if (lineage === 'ahead')
      return { do: 'clone', why: `this standby is ahead of ${primary.node} on its timeline`, primary }
    if (lineage === 'behind')
      return { do: 'clone', why: `${primary.node} no longer has the WAL that this standby needs`, primary }
    return { do: 'nothing', why: 'PostgreSQL runs as a standby' }
  }
  if (down && standbySignal) return { do: 'start', why: 'PostgreSQL does not run' }
  return { do: 'rewind', why: `${primary.node} is the primary`, primary }
}

/** It may be needed for the election of one: the others may have to hear from it, and it may have what they lack. */
function withoutPrimary({ data, standbySignal }: RejoinFacts, mayStart: boolean): RejoinPlan {
  const why = 'there is no primary at the moment'
  const whole = data === 'intact' || data === 'unpublished'
  if (mayStart && whole && standbySignal) return { do: 'start', why: 'PostgreSQL does not run' }
  if (mayStart && data === 'unpublished')
    return { do: 'stand-by', why: `${UNUSABLE.unpublished}, and ${why}` }
  return { do: 'wait', why }
}

/**
 * Does this mark of a promotion stand for one that happened? A run that was killed before it leaves the mark on a standby.
 * @param mark the timeline that the promotion left, or null.
 */
export function isUnpublished(mark: number | null, local: LocalDatabase | Unknown): boolean {
  if (mark === null) return false
  return local === UNKNOWN || local.role !== 'standby' || local.timeline > mark
}
