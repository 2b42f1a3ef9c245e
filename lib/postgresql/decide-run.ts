import type { FailoverPlan } from './decide-failover.ts'

/** How a run of the gate ended: with this machine as the primary, with another one, or undecided (try again later). */
export type Outcome = 'primary' | 'other' | 'undecided'

/**
 * What a settled question led to on this machine. `kept`: its primary is looked after; `lost`: the lock was lost meanwhile;
 * `followed`: another machine is the primary; `free`: nobody has the lock, after another machine gave it back.
 */
export type Aftermath = 'kept' | 'lost' | 'followed' | 'free'

export interface RunFacts {
  /** The step that was decided, and carried out unless it is `until`. */
  step: FailoverPlan['do']
  /** Stops before this step is taken (validation: the lock is enough). */
  until: FailoverPlan['do'] | null
  /** The step has failed. */
  failed: boolean
  /** Of `settled` and `leave`; null of any other step. */
  aftermath: Aftermath | null
  elapsedMs: number
  deadlineMs: number
}

export type RunPlan = { do: 'end'; outcome: Outcome } | { do: 'again'; afterMs: number }

/** How often the gate looks again while it waits. */
const LOOK_AGAIN_MS = 50
/** How long it leaves what has just failed alone. */
const TRY_AGAIN_MS = 500

/** Steps after which the next look would see the same. */
const WAITING: readonly FailoverPlan['do'][] = ['wait', 'unlock', 'stop-other-receivers']

/** Whether a run of the gate is over, and with what; else when it looks again. */
export function decideRun({ step, until, failed, aftermath, elapsedMs, deadlineMs }: RunFacts): RunPlan {
  const end = (outcome: Outcome): RunPlan => ({ do: 'end', outcome })
  const late = elapsedMs > deadlineMs
  if (step === until) return end('primary')
  if (aftermath === 'kept' || (aftermath === 'lost' && late)) return end('primary')
  if (aftermath === 'followed') return end('other')
  if (aftermath !== null) return { do: 'again', afterMs: 0 }
  if (late) return end('undecided')
  if (failed) return { do: 'again', afterMs: TRY_AGAIN_MS }
  return { do: 'again', afterMs: WAITING.includes(step) ? LOOK_AGAIN_MS : 0 }
}
