import type { Attempt } from './evidence.ts'

/** A time without an acknowledgement. */
export interface Gap {
  from: number
  ms: number
}

/** The times of these attempts' acknowledgements between two moments, in order. */
const timesOf = (attempts: readonly Attempt[], from: number, to: number): number[] =>
  attempts
    .flatMap(({ acknowledged }) => acknowledged?.at ?? [])
    .filter((at) => at >= from && at <= to)
    .sort((a, b) => a - b)

/** The times of at least `leastMs` between two moments in which nothing was acknowledged to a client. */
export function gapsOf(
  attempts: readonly Attempt[],
  writer: string,
  between: { from: number; to: number },
  leastMs: number,
): Gap[] {
  const { from, to } = between
  const own = attempts.filter((attempt) => attempt.writer === writer)
  const ends = [...timesOf(own, from, to), to]
  return ends
    .map((end, index) => ({ from: ends[index - 1] ?? from, ms: end - (ends[index - 1] ?? from) }))
    .filter(({ ms }) => ms >= leastMs)
}

/** The longest of them, in milliseconds. */
export const longestGapMs = (
  attempts: readonly Attempt[],
  writer: string,
  between: { from: number; to: number },
): number => Math.max(...gapsOf(attempts, writer, between, 0).map(({ ms }) => ms))
