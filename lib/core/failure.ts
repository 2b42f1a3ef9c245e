import { rmSync } from 'node:fs'
import { readNote, replaceFile } from './atomic-files.ts'
import type { Failure } from './decide-backoff.ts'

/** The failures of a work so far, or null where the last attempt succeeded or the file cannot be read. */
export const readFailure = (path: string): Failure | null => readNote<Failure>(path)

/** Counts one more failure on top of those before. Where the clock was set back, the time begins anew. */
export function recordFailure(path: string, reason: string, nowMs: number): void {
  const before = readFailure(path)
  const last = new Date(nowMs).toISOString()
  const failure: Failure = {
    count: (before?.count ?? 0) + 1,
    since: before !== null && before.since <= last ? before.since : last,
    last,
    reason: inOneLine(reason),
  }
  replaceFile(path, `${JSON.stringify(failure)}\n`)
}

const LONGEST = 250

/** What a program says last is mostly why, but for its hints. */
function inOneLine(reason: string): string {
  const lines = reason.split('\n').filter((line) => line.trim() !== '' && !/^\s*(HINT|DETAIL)/.test(line))
  return (lines.at(-1) ?? reason).trim().slice(0, LONGEST)
}

export const forgetFailure = (path: string): void => rmSync(path, { force: true })
