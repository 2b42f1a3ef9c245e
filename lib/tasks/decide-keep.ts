import type { Unknown } from '../core/unknown.ts'
import type { Timing } from './decide-timing.ts'

export interface KeepFacts {
  /** Does Consul say, by a consistent read, that the session of this run holds the key? */
  ours: boolean | Unknown
  /** When it was asked, and when the answer was there, on a clock that only goes on. */
  askedMs: number
  answeredMs: number
  /** When the question was asked that was last answered with yes. */
  confirmedMs: number
  timing: Timing
}

/** `confirm`: ping the watchdog; `lose`: kill the command; `again`: ask again, the watchdog goes on running. */
export function decideKeep({
  ours,
  askedMs,
  answeredMs,
  confirmedMs,
  timing,
}: KeepFacts): 'confirm' | 'lose' | 'again' {
  if (ours === false) return 'lose'
  // An answer from before a pause says nothing of now.
  if (ours === true && answeredMs - askedMs <= timing.requestMs) return 'confirm'
  return answeredMs - confirmedMs > timing.requestMs + timing.watchdogMs ? 'lose' : 'again'
}
