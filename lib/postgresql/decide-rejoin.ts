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
   * `intact`: a data directory that PostgreSQL could start; `unpublished`: promoted, and perhaps never published; `torn`: a rewind
   * in it was interrupted; `missing`: none.
   */
  data: 'intact' | 'unpublished' | 'torn' | 'missing'
  /** standby.signal is there. */
  standbySignal: boolean
  /** Whether a standby that does not stream can go on with the primary; null where there is nothing to ask. */
  lineage: Lineage | null | Unknown
  /** The failed attempts so far, if the last one failed. */
  failure: Failure | null
  nowMs: number
}

export type RejoinPlan =
  | { do: 'nothing' | 'wait'; why: string }
  /** Start PostgreSQL: it is a standby already, or the primary. */
  | { do: 'start'; why: string }
  /** Stop PostgreSQL, rewind it onto the primary (or clone it where that fails), start it as a standby. */
  | { do: 'rewind' | 'clone'; why: string; primary: Primary }

/** How a machine whose database was stopped, or is not what it should be, comes back. */
export function decideRejoin(facts: RejoinFacts): RejoinPlan {
  const { node, leadership, local, data, standbySignal, lineage, failure, nowMs } = facts
  if (failure && nowMs < dueAtMs(failure, nowMs))
    return { do: 'wait', why: `the last attempt failed; the next one is not due yet (${failure.reason})` }
  if (leadership === UNKNOWN) return { do: 'wait', why: 'Consul does not answer' }
  const down = local !== UNKNOWN && local.role === 'down'
  if (leadership.primary?.node === node) {
    // Fenced, and nobody has taken over meanwhile: the start gate makes sure of the lock.
    const whole = data === 'intact' || data === 'unpublished'
    if (down && whole && !standbySignal) return { do: 'start', why: 'this machine is the primary' }
    return { do: 'nothing', why: 'this machine is the primary' }
  }
  const primary = currentPrimary(leadership)
  if (!primary) return { do: 'wait', why: 'nobody holds the lock' }
  if (data !== 'intact') return { do: 'clone', why: `the data directory is ${data}`, primary }
  if (standbySignal && local === UNKNOWN) return { do: 'wait', why: 'PostgreSQL does not answer' }
  if (local !== UNKNOWN && local.role === 'standby') {
    if (lineage === 'diverged')
      return { do: 'rewind', why: `it has what ${primary.node} does not have`, primary }
    if (lineage === 'behind')
      return { do: 'clone', why: `${primary.node} no longer has the WAL it needs`, primary }
    return { do: 'nothing', why: 'runs as a standby' }
  }
  if (down && standbySignal) return { do: 'start', why: 'PostgreSQL does not run' }
  return { do: 'rewind', why: `${primary.node} is the primary`, primary }
}
