import { setTimeout as pause } from 'node:timers/promises'
import { EXIT, UnderstudyError } from './errors.ts'

/**
 * Looks again and again until `look` gives something other than null.
 * @throws after the deadline, naming what was waited for; an error of the last look is the cause.
 */
export async function waitFor<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | null>,
  everyMs = 200,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== null) return found
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline) {
      throw new UnderstudyError(
        EXIT.retry,
        `waited ${Math.round(timeoutMs / 1000)} s for ${what}`,
        cause === undefined ? {} : { cause },
      )
    }
    await pause(everyMs)
  }
}
