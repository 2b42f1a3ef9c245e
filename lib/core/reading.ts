import { EXIT, explain, UnderstudyError } from './errors.ts'
import { UNKNOWN, type Unknown } from './unknown.ts'

/** The result of one read: a value, or the reason why there is none. */
export type Reading<T> = { value: T } | { why: string }

/** Reads within a deadline. Never throws: a status shows the rest, and says why this is missing. */
export async function read<T>(timeoutMs: number, work: Promise<T>): Promise<Reading<T>> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    const error = new UnderstudyError(EXIT.unavailable, `no answer within ${timeoutMs} ms`)
    timer = setTimeout(() => reject(error), timeoutMs)
  })
  try {
    return { value: await Promise.race([work, deadline]) }
  } catch (error) {
    return { why: explain(error) }
  } finally {
    clearTimeout(timer)
  }
}

/** The value, or undefined where there is none. */
export const valueFrom = <T>(reading: Reading<T>): T | undefined =>
  'value' in reading ? reading.value : undefined

/** The value, or {@link UNKNOWN} where there is none. */
export const valueOrUnknown = <T>(reading: Reading<T>): T | Unknown =>
  'value' in reading ? reading.value : UNKNOWN
