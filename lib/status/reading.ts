import { EXIT, explain, UnderstudyError } from '../core/errors.ts'

/** What came of one read: a value, or the reason why there is none. */
export type Reading<T> = { value: T } | { why: string }

/** Reads within a deadline. Never throws: a status must say what it cannot know, not stop there. */
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
