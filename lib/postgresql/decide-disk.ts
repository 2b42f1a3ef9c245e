import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** How long WAL may wait for the disk: one that is only slow writes something in that time, and the check itself has 13 s. */
export const STUCK_MS = 8000

export interface DiskFacts {
  /** For how long a process has waited to write WAL while none was written; null where PostgreSQL runs as no primary. */
  stuckMs: number | null | Unknown
  /** The check of the database already reports it. */
  marked: boolean
}

export interface DiskPlan extends CheckPlan {
  do: 'nothing' | 'mark' | 'unmark'
}

/** A primary whose disk hangs still answers, but no commit of it ever ends: its lock has to go to another machine. */
export function decideDisk({ stuckMs, marked }: DiskFacts): DiskPlan {
  if (stuckMs === UNKNOWN) return { do: 'nothing', why: 'PostgreSQL does not answer', problems: [] }
  if (stuckMs === null || stuckMs < STUCK_MS)
    return { do: marked ? 'unmark' : 'nothing', why: 'WAL does not wait for the disk', problems: [] }
  const why = `the disk of the database hangs: no WAL was written for ${STUCK_MS / 1000} s`
  return { do: marked ? 'nothing' : 'mark', why, problems: [why] }
}
