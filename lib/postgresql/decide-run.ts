import type { FailoverPlan } from './decide-failover.ts'

/** How a run of the gate ends: this machine is the primary, another one is, or it is undecided (try again later). */
export type Outcome = 'primary' | 'other' | 'undecided'

/**
 * What a run did once it was settled who holds the lock. `done`: this machine, and its upkeep is done; `lost`: this machine, which
 * lost it meanwhile; `followed`: another machine is the primary; `free`: another machine took the lock and gave it back.
 */
export type Aftermath = 'done' | 'lost' | 'followed' | 'free'

export interface RunFacts {
  /** The step that was decided, and carried out unless it is `until`. */
  step: FailoverPlan['do']
  /** The run ends before this step (validation: the lock is enough); null if it does not. */
  until: FailoverPlan['do'] | null
  /** The step has failed. */
  failed: boolean
  /** After `settled` or `leave`; null after any other step. */
  aftermath: Aftermath | null
  elapsedMs: number
  deadlineMs: number
}

export type RunPlan = { do: 'end'; outcome: Outcome } | { do: 'again'; afterMs: number }

/** How often the gate looks again while it waits: part of every failover, and a look is five requests to Consul. */
const LOOK_AGAIN_MS = 50
/** How long it waits after a step that failed: what failed a moment ago mostly fails again. */
const TRY_AGAIN_MS = 500

/** How often it looks at a primary that serves without the lock, which may last a minute. */
const WATCH_AGAIN_MS = 500

/** Steps after which an immediate look would see the same. */
const WAITING: readonly FailoverPlan['do'][] = ['wait', 'unlock', 'stop-other-receivers']

/** Whether a run of the gate is over and how, or when it looks again. */
export function decideRun({ step, until, failed, aftermath, elapsedMs, deadlineMs }: RunFacts): RunPlan {
  const end = (outcome: Outcome): RunPlan => ({ do: 'end', outcome })
  const late = elapsedMs > deadlineMs
  if (step === until) return end('primary')
  if (aftermath === 'done' || (aftermath === 'lost' && late)) return end('primary')
  if (aftermath === 'followed') return end('other')
  if (aftermath !== null) return { do: 'again', afterMs: 0 }
  if (late) return end('undecided')
  if (failed) return { do: 'again', afterMs: TRY_AGAIN_MS }
  if (step === 'watch') return { do: 'again', afterMs: WATCH_AGAIN_MS }
  return { do: 'again', afterMs: WAITING.includes(step) ? LOOK_AGAIN_MS : 0 }
}
