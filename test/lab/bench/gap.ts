/** How long a client could not write, from the times of its acknowledgements. */

interface Acknowledgement {
  /** Epoch milliseconds. */
  readonly at: number
}

/**
 * The longest time without an acknowledged write that ended within a window, or had not ended with it. One that was
 * already under way when the window begins counts from its start: from the last acknowledgement before.
 */
export function longestGapMs(acknowledged: readonly Acknowledgement[], from: number, to: number): number {
  let longest = 0
  let last = from
  for (const { at } of acknowledged) {
    if (at > to) break
    if (at > from) longest = Math.max(longest, at - last)
    last = at
  }
  return Math.max(longest, to - last)
}

/** The middle of some values; undefined where there are none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((one, other) => one - other)
  const [low, high] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}

/** What several times have in common, in milliseconds. */
export interface TimeSpread {
  readonly medianMs: number
  readonly minMs: number
  readonly maxMs: number
}

/** @param times at least one. */
export const timeSpreadOf = (times: readonly number[]): TimeSpread => ({
  medianMs: median(times) ?? Number.NaN,
  minMs: Math.min(...times),
  maxMs: Math.max(...times),
})
