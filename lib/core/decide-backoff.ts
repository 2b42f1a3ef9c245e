/** An attempt that has failed, perhaps repeatedly. */
export interface Failure {
  count: number
  /** ISO times of the first and the last of these failures. */
  since: string
  last: string
  reason: string
}

/** For a sentence: 3 attempts to rejoin have failed. @param what is attempted: to rejoin. */
export const failedAttempts = ({ count }: Failure, what: string): string =>
  count === 1 ? `1 attempt ${what} has failed` : `${count} attempts ${what} have failed`

/** After the first failure: what was in the way is often gone by then. */
const FIRST_MS = 5000
/** The longest pause: a person who has repaired something should not wait long. */
const LONGEST_MS = 60_000

/** When it may be tried again, in epoch milliseconds: 5 s after the first failure, twice as long after each, at most 1 min. */
export function dueAtMs({ count, last }: Failure, nowMs: number): number {
  const lastMs = Date.parse(last)
  // A clock that was set back must not delay it for years.
  if (!(lastMs <= nowMs)) return nowMs
  return lastMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1))
}
