/** How long a request to Consul may take: T. A local agent answers in milliseconds, through an election in some seconds. */
export const REQUEST_MS = 2000
/** How long after asking it to end systemd kills what is left of a run (K). A clean end of a process takes milliseconds. */
export const KILL_MS = 2000
/** The same where a program has to run for it, to kill another unit: a busy machine starts one in a second. Less than K and what is spare. */
export const KILL_UNIT_MS = 5000
/** Spare time for what T + W + K leaves out: a late ping, a busy systemd, clocks that do not run equally fast. */
const MARGIN_MS = 5000
/** Consul takes no shorter time to live of a session. */
const SHORTEST_SESSION_S = 10

/** Seconds; shorter ones leave no time for a watchdog, and Consul delays no lock longer than the longest. */
export const TTL_S = { least: 15, most: 60, default: 15 } as const

/** The times of a lock, all in milliseconds but `sessionS`. */
export interface Timing {
  /** L: nobody runs anything under the lock for so long after its holder was lost. */
  ttlMs: number
  /** T: an answer counts only so long after its question. */
  requestMs: number
  /** W: systemd kills a run that has not confirmed its lock for so long. */
  watchdogMs: number
  /** K */
  killMs: number
  /** Between two confirmations. */
  everyMs: number
  /** Time to live of the session. */
  sessionS: number
}

/**
 * A run is confirmed by an answer that came within T of its question, so that nothing of it is left T + W + K after the last
 * question that was answered. Consul ends the session after that question, so L > T + W + K is enough.
 * @param ttlS L in seconds.
 */
export function timingOf(ttlS: number): Timing {
  const ttlMs = ttlS * 1000
  const watchdogMs = ttlMs - REQUEST_MS - KILL_MS - MARGIN_MS
  return {
    ttlMs,
    requestMs: REQUEST_MS,
    watchdogMs,
    killMs: KILL_MS,
    everyMs: Math.floor(watchdogMs / 3),
    sessionS: Math.max(SHORTEST_SESSION_S, Math.ceil(watchdogMs / 1000)),
  }
}
