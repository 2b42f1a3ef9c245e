import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import type { Primary } from '../consul/manifest.ts'
import { dueAtMs, type Failure } from '../core/decide-backoff.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Lineage } from './decide-lineage.ts'
import { FAILED_STARTS } from './decide-starts.ts'
import type { LocalDatabase } from './role.ts'

export interface RejoinFacts {
  node: string
  leadership: Leadership | Unknown
  local: LocalDatabase | Unknown
  /**
   * `intact`: PostgreSQL can start from the data directory; `unpublished`: this machine was promoted and perhaps never published;
   * `unwanted`: an operator wants it to be replaced by a copy; `torn`: a rewind was interrupted; `missing`: there is none.
   */
  data: 'intact' | 'unpublished' | 'unwanted' | 'torn' | 'missing'
  /** Why PostgreSQL would start from other data than this member's; null if it would not. */
  elsewhere: string | null | Unknown
  /** standby.signal is there. */
  standbySignal: boolean
  /** dpkg is at work on PostgreSQL: its files may be of two versions, and it starts PostgreSQL itself when it has ended. */
  replaced: boolean
  /** Whether a standby that does not stream can continue with the primary; null if the question does not arise. */
  lineage: Lineage | null | Unknown
  /** What is known of a standby that does not run; null of any other machine. */
  damage: Damage | null
  /** The primary has less than what was confirmed, so that this machine may have the only copy; null if the question does not arise. */
  primaryLacks: boolean | null | Unknown
  /** What an earlier copy has replaced is still there, and its disk is getting full. */
  crowded: boolean
  /** The failed attempts since the last one that succeeded; null if there are none. */
  failure: Failure | null
  nowMs: number
}

/** A standby that does not run. */
export interface Damage {
  /** How many of its starts have failed, one after the other. */
  failed: number
  /** What PostgreSQL said last, or what is wrong with its data; null if that is not known. */
  says: string | null
  /** What keeps PostgreSQL from starting with any data; null if nothing is found. */
  obstacle: string | null
  /** Data that did not start was replaced by a copy a short while ago. */
  fresh: boolean
}

export type RejoinPlan =
  /** `failed`: it needs the operator. */
  | { do: 'wait'; why: string; failed?: true }
  | { do: 'nothing'; why: string }
  /** Remove what an earlier copy has replaced. */
  | { do: 'discard'; why: string }
  /** Start PostgreSQL, which is a standby already, or the primary. */
  | { do: 'start'; why: string }
  /** Stop PostgreSQL and start it as a standby that receives nothing, so that it takes part in the election. */
  | { do: 'stand-by'; why: string }
  /** Stop PostgreSQL, rewind its data to the primary (or clone the primary if that fails), start it as a standby. */
  | { do: 'rewind'; why: string; primary: Primary }
  /** `because`: what is replaced is kept for the operator. */
  | { do: 'clone'; why: string; primary: Primary; because?: 'damage' | 'operator' }

/** Why the data directory is no use to a standby. */
const UNUSABLE = {
  unpublished: 'this machine was promoted, but perhaps never published',
  unwanted: 'an operator has asked for a new copy',
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
  if (facts.elsewhere === UNKNOWN)
    return { do: 'wait', why: 'it could not be read which data PostgreSQL would start from' }
  // A former primary that runs is stopped first, wherever its data is.
  if (facts.elsewhere !== null && !isPrimary(local)) return { do: 'wait', why: facts.elsewhere, failed: true }
  const down = local !== UNKNOWN && local.role === 'down'
  if (leadership.primary?.node === node) {
    // Fenced, and no other machine has taken over meanwhile. The start gate takes the lock.
    if (down && isWhole(data) && !standbySignal) return { do: 'start', why: 'this machine is the primary' }
    return { do: 'nothing', why: 'this machine is the primary' }
  }
  const primary = currentPrimary(leadership)
  if (!primary) return withoutPrimary(facts, down && leadership.leader?.session === null)
  if (data === 'unwanted') return replace(facts, primary, UNUSABLE[data], 'operator')
  if (data !== 'intact') return { do: 'clone', why: UNUSABLE[data], primary }
  if (standbySignal && local === UNKNOWN) return { do: 'wait', why: 'PostgreSQL does not answer' }
  if (local !== UNKNOWN && local.role === 'standby') {
    if (lineage === 'diverged')
      return { do: 'rewind', why: `this standby has WAL that ${primary.node} does not have`, primary }
    if (lineage === 'ahead')
      return { do: 'clone', why: `this standby is ahead of ${primary.node} on its timeline`, primary }
    if (lineage === 'behind')
      return { do: 'clone', why: `${primary.node} no longer has the WAL that this standby needs`, primary }
    if (facts.crowded)
      return {
        do: 'discard',
        why: 'the disk is getting full, and the data that an earlier clone replaced is still there',
      }
    return { do: 'nothing', why: 'PostgreSQL runs as a standby' }
  }
  if (down && standbySignal) return decideStopped(facts, primary)
  return { do: 'rewind', why: `${primary.node} is the primary`, primary }
}

const isPrimary = (local: RejoinFacts['local']): boolean => local !== UNKNOWN && local.role === 'primary'
const isWhole = (data: RejoinFacts['data']): boolean => data !== 'torn' && data !== 'missing'

/** A standby that does not run: it is started, or replaced if it fails to start again and again. */
function decideStopped(facts: RejoinFacts, primary: Primary): RejoinPlan {
  const { damage } = facts
  if (damage === null || damage.failed < FAILED_STARTS) return { do: 'start', why: 'PostgreSQL does not run' }
  const { failed, says, obstacle, fresh } = damage
  if (obstacle !== null) return { do: 'wait', why: `PostgreSQL does not start: ${obstacle}`, failed: true }
  if (says === null)
    return {
      do: 'wait',
      why: `PostgreSQL has failed to start ${failed} times, and its log does not say why; if it is the data: understudy rejoin --clone`,
      failed: true,
    }
  const what = `: ${says}`
  if (fresh)
    return { do: 'wait', why: `PostgreSQL does not start from a fresh copy either${what}`, failed: true }
  return replace(facts, primary, `PostgreSQL has failed to start ${failed} times${what}`, 'damage')
}

/** Only where the primary has everything that was confirmed: else this machine may have the only copy of it. */
function replace(
  { primaryLacks }: RejoinFacts,
  primary: Primary,
  why: string,
  because: 'damage' | 'operator',
): RejoinPlan {
  if (primaryLacks === false) return { do: 'clone', why, primary, because }
  const lacks = primaryLacks === true ? 'lacks what was confirmed' : 'does not say what it has'
  return { do: 'wait', why: `${why}, but ${primary.node} ${lacks}`, failed: true }
}

/** It may be needed for the election of one: the others may have to hear from it, and it may have what they lack. */
function withoutPrimary({ data, standbySignal }: RejoinFacts, mayStart: boolean): RejoinPlan {
  const why = 'there is no primary at the moment'
  if (mayStart && isWhole(data) && standbySignal) return { do: 'start', why: 'PostgreSQL does not run' }
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
