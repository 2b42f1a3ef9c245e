import { join } from 'node:path'
import { readText } from '../core/atomic-files.ts'
import { tryRun } from '../core/exec.ts'
import { type SystemUser, systemUser } from '../core/users.ts'
import { readControlData } from './control-data.ts'
import { type Position, parseHistory } from './decide-lineage.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import { postgresqlPaths } from './manifest.ts'

/** How long reading WAL may take: a disk of 100 MB/s reads READ_BACK in this time. PostgreSQL's own recovery reads it again. */
const WALDUMP_MS = 12_000
/** As much WAL as there is between two checkpoints unless max_wal_size was raised; a lack further back is not looked for. */
const READ_BACK = 1024n * 1024n * 1024n

/** The WAL of a stopped database. */
export interface OwnWal {
  timeline: number
  /** The latest checkpoint, or the beginning of the timeline: certain to be there. */
  least: bigint
  /** Where its recovery begins to read on this timeline. */
  from: bigint
}

/**
 * What the control file of a stopped database says.
 * @throws where it cannot be read: PostgreSQL does not start from such a directory.
 */
export async function readOwnWal(version: number): Promise<OwnWal> {
  const directory = postgresqlPaths.data(version)
  const { timeline, checkpoint, redo } = parseControlData(await readControlData(version))
  const file = `${timeline.toString(16).padStart(8, '0').toUpperCase()}.history`
  const forks = [...parseHistory(readText(join(directory, 'pg_wal', file)) ?? '').values()]
  const begin = forks.reduce(later, 0n)
  return { timeline, least: later(checkpoint, begin), from: later(redo, begin) }
}

const later = (one: bigint, other: bigint): bigint => (one > other ? one : other)

/**
 * What pg_controldata prints in English. A primary that crashes right after its promotion has its latest checkpoint on the timeline
 * before; its recovery then goes by the timeline of the minimum recovery point (CreateEndOfRecoveryRecord in xlog.c).
 * @throws {TypeError} on anything else.
 */
export function parseControlData(text: string): { timeline: number; checkpoint: bigint; redo: bigint } {
  const field = (label: string): string =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${label}:`))
      ?.slice(label.length + 1)
      .trim() ?? ''
  const timelines = ["Latest checkpoint's TimeLineID", "Min recovery ending loc's timeline"].map(field)
  if (!timelines.every((timeline) => /^\d+$/.test(timeline)))
    throw new TypeError('pg_controldata does not say which timeline the data is on')
  return {
    timeline: Math.max(...timelines.map(Number)),
    checkpoint: parseLsn(field('Latest checkpoint location')),
    redo: parseLsn(field("Latest checkpoint's REDO location")),
  }
}

/**
 * Where a stopped database ends, or `wanted` if it goes that far. pg_waldump reads whole records, as recovery does, and fails at
 * the first that is torn, missing or left over from before.
 * @throws where it does not end before its deadline.
 */
export async function endOfWal(version: number, own: OwnWal, wanted: bigint): Promise<Position> {
  const { timeline, least } = own
  if (wanted <= least) return { timeline, lsn: wanted }
  const ran = await readUpTo(version, own, wanted, await systemUser('postgres'))
  if (ran.exitCode === 0) return { timeline, lsn: wanted }
  const last = /error in WAL record at ([0-9A-F]+\/[0-9A-F]+)/.exec(ran.stderr)?.[1]
  return { timeline, lsn: later(least, last === undefined ? 0n : parseLsn(last)) }
}

function readUpTo(version: number, { timeline, from }: OwnWal, wanted: bigint, as: SystemUser) {
  const args = [
    ...['--quiet', `--path=${postgresqlPaths.data(version)}/pg_wal`, `--timeline=${timeline}`],
    ...[`--start=${formatLsn(later(from, wanted - READ_BACK))}`, `--end=${formatLsn(wanted)}`],
  ]
  const env = { LC_ALL: 'C' }
  return tryRun(postgresqlPaths.bin(version, 'pg_waldump'), args, { ...as, env, timeoutMs: WALDUMP_MS })
}
