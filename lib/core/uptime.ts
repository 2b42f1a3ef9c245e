/** On the clock that starts with the boot and that nobody can set (CLOCK_MONOTONIC), the same in every process. */
export const sinceBootMs = (): number => Number(process.hrtime.bigint() / 1_000_000n)
