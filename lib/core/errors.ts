/** Exit codes, after sysexits.h: what each means to a person or to the program that called us. */
export const EXIT = {
  ok: 0,
  /** The work was tried and failed; the message says why. */
  failed: 1,
  /** Wrong arguments or bad input; nothing was changed. */
  usage: 64,
  /** A document or a file holds something we cannot use. */
  data: 65,
  /** A service that is needed (Consul, PostgreSQL, ...) does not answer. */
  unavailable: 69,
  /** Something this machine lacks: a package, a permission, the right clock. */
  config: 78,
  /** Refused or timed out for now; trying again later may succeed. */
  retry: 75,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** An error a person can act on: one sentence, the exit code that goes with it, and the cause kept. */
export class UnderstudyError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'UnderstudyError'
    this.exitCode = exitCode
  }
}

export const usageError = (message: string): UnderstudyError => new UnderstudyError(EXIT.usage, message)

/** The message of anything thrown, with its chain of causes: "could not X: Y: Z". */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own =
    'shortMessage' in error && typeof error.shortMessage === 'string' ? error.shortMessage : error.message
  // Thrown by net.connect where every address of a name refuses; it has no message of its own.
  if (error instanceof AggregateError && own === '') return error.errors.map(explain).join('; ')
  return error.cause === undefined ? own : `${own}: ${explain(error.cause)}`
}
