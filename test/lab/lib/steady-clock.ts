/**
 * Epoch milliseconds that no clock which is set can move, the same in every process of this host: all machines of a lab
 * share its kernel, and with it the clock that only ever goes forward.
 */
export interface SteadyClock {
  readonly epochMs: number
  /** CLOCK_MONOTONIC at that moment; a string, because JSON has no big integers. */
  readonly monotonicNs: string
}

/** The moment that everything in this process, and in the writers that it starts, is counted from. */
export const steadyClock: SteadyClock = {
  epochMs: Date.now(),
  monotonicNs: String(process.hrtime.bigint()),
}

/** Now, in epoch milliseconds. */
export const steadyNow = (): number =>
  steadyClock.epochMs + Number(process.hrtime.bigint() - BigInt(steadyClock.monotonicNs)) / 1e6
