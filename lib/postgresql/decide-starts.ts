import { dueAtMs } from '../core/decide-backoff.ts'

/** After so many starts in a row that came to nothing, a standby is cloned anew. */
export const FAILED_STARTS = 5
/** A standby that has run for as long does not count as one that failed to start, whatever ended it. */
const RAN_MS = 3600 * 1000
/** Where a fresh copy does not start either, it is not the data, and nothing is cloned again for a day. */
export const CLONE_AGAIN_MS = 24 * 3600 * 1000

/** What is known of the latest start of PostgreSQL as a standby. */
export interface Starts {
  /** How many starts before it came to nothing, one after the other. */
  failed: number
  at: string
  /** Where recovery had come by then, as the control file says; null where that cannot be read. */
  position: string | null
  /** How long PostgreSQL's log was by then. */
  logBytes: number
  /** When a copy was last put in the place of data that did not start; null if never. */
  cloned: string | null
}

/** What a stopped standby looks like. */
export interface StoppedStandby {
  /** It was shut down. */
  clean: boolean
  /** When its control file was last written, in epoch milliseconds; 0 where there is none. */
  controlMs: number
  position: string | null
  /** When the newest file of its write-ahead log was written, in epoch milliseconds; 0 where there is none. */
  receivedMs: number
}

/**
 * How many starts have failed by now, one after the other: PostgreSQL was not shut down since the last one, its recovery has come no
 * further, and it has received nothing.
 */
export function failedStarts(last: Starts | null, now: StoppedStandby, nowMs: number): number {
  if (last === null || now.position !== last.position) return 0
  const lastMs = Date.parse(last.at)
  if (!(lastMs <= nowMs) || nowMs - lastMs > RAN_MS || now.receivedMs > lastMs) return 0
  // A start that fails early leaves the shutdown before it in the control file.
  return now.clean && now.controlMs > lastMs ? 0 : last.failed + 1
}

/** When the next start is due, in epoch milliseconds: systemd would repeat one that fails ten times a second. */
export const startDueAtMs = (failed: number, last: Starts | null, nowMs: number): number =>
  failed === 0 || last === null
    ? nowMs
    : dueAtMs({ count: failed, since: last.at, last: last.at, reason: '' }, nowMs)

/** What pg_controldata prints in English. */
export function parseStopped(text: string): Pick<StoppedStandby, 'clean' | 'position'> {
  const field = (label: string): string | null =>
    new RegExp(`^${label}:\\s*(.+)$`, 'm').exec(text)?.[1]?.trim() ?? null
  const checkpoint = field('Latest checkpoint location')
  return {
    clean: /^shut down/.test(field('Database cluster state') ?? ''),
    position: checkpoint === null ? null : `${checkpoint} ${field('Minimum recovery ending location')}`,
  }
}

/** What PostgreSQL says last in its log before it ends. A process that the system has killed (signal 9) says nothing of the data. */
export function lastWords(log: string): string | null {
  const ends = /\b(?:(?:FATAL|PANIC):\s+|LOG:\s+(?=.* was terminated by signal (?!9\b)))(.+)$/gm
  const lines = [...log.matchAll(ends)].map(([, said]) => said ?? '')
  return lines.filter((said) => !/^the database system is|^terminating/.test(said)).at(-1) ?? null
}

/** What keeps PostgreSQL from starting with any data: its configuration, or what it needs of the machine. */
const NOT_THE_DATA = [
  /configuration file|pg_hba\.conf|pg_ident\.conf/,
  /certificate|private key|\bSSL\b/,
  /shared memory|semaphore|out of memory|cannot allocate/i,
  /could not (bind|create any|create lock file|listen)|lock file .* already exists/,
  /could not access file|could not load library/,
  /No space left|Permission denied|Too many open files|Read-only file system/,
  /has (wrong|invalid) (ownership|permissions)|has group or world access/,
  // A tablespace that the primary has made.
  /^directory "\/[^"]*" does not exist/,
]
export const isNotTheData = (said: string | null): boolean =>
  said !== null && NOT_THE_DATA.some((pattern) => pattern.test(said))
