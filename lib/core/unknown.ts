import { EXIT, UnderstudyError } from './errors.ts'

/** A read that failed or was not answered in time: a fact like any other. A symbol, as any string may be the name of something. */
export const UNKNOWN: unique symbol = Symbol('unknown')
export type Unknown = typeof UNKNOWN

/** A read whose service does not answer is the fact {@link UNKNOWN}; any other failure stays an error. */
export async function orUnknown<T>(read: Promise<T>): Promise<T | Unknown> {
  try {
    return await read
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.unavailable) return UNKNOWN
    throw error
  }
}

/** For what has to act whatever the reason is, such as a fence: any failure is the fact {@link UNKNOWN}. */
export const unknownOnFailure = <T>(read: Promise<T>): Promise<T | Unknown> =>
  read.catch((): Unknown => UNKNOWN)

/** For JSON.stringify, which leaves symbols out: what could not be read is the string `unknown`. */
export const unknownInJson = (_key: string, value: unknown): unknown =>
  value === UNKNOWN ? 'unknown' : value
