import type { CheckPlan } from './component.ts'
import type { Failure } from './decide-backoff.ts'

/** How long a daemon is silent before it counts as hung: by then a second run of the check, which comes every 15 s, has asked it. */
export const HUNG_MS = 10_000

export interface AnsweringFacts {
  /** The name of the daemon's unit. */
  unit: string
  /** It answers, or it does not run: then systemd starts it. */
  answers: boolean
  /** Since when and how often it has been found silent; null where it answered the last time. */
  silence: Failure | null
  nowMs: number
}

export interface AnsweringPlan extends CheckPlan {
  do: 'nothing' | 'forget' | 'remember' | 'kill'
}

/** A daemon that hangs is killed: a stopped process does not end by itself, and systemd starts again only what has ended. */
export function decideAnswering({ unit, answers, silence, nowMs }: AnsweringFacts): AnsweringPlan {
  if (answers) return { do: silence === null ? 'nothing' : 'forget', why: `${unit} answers`, problems: [] }
  const why = `${unit} does not answer`
  const hangs = silence !== null && nowMs - Date.parse(silence.since) >= HUNG_MS
  return { do: hangs ? 'kill' : 'remember', why, problems: [hangs ? `${why} and is killed` : why] }
}
