import { dirname } from 'node:path'
import type { Primary } from '../consul/manifest.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { type RunOptions, run, runTelling } from '../core/exec.ts'
import { bytes } from '../core/text.ts'
import { withDatabase } from './client.ts'
import { slotName } from './config.ts'
import { COPY_OPTIONS, type CopyProgress, copyArguments, parseProgress } from './config-copy.ts'
import { dropOutgoing, makeStandby, swapIn } from './data-directory.ts'
import { type CopySource, RESERVE_BYTES } from './decide-room.ts'
import { postgresqlPaths } from './manifest.ts'
import { freeBytes, readCopySource, SIZES_MS, whyNotCopy } from './observe-room.ts'
import { renewSlot } from './slots.ts'
import { incomingOf } from './tablespaces.ts'

/** A copy is as long as the database is big; a run that finds another one at work waits for no longer than this. */
const LOCK_MS = 24 * 3600 * 1000
/** pg_basebackup reports every second, but not while the primary adds up its files, nor while its own are written to disk. */
const SILENT_MS = 3600 * 1000

const CLEAN = 'rm -rf -- "$@"'
const CLEAN_AND_COPY = 'while [ "$1" != -- ]; do rm -rf -- "$1"; shift; done; shift; exec "$@"'

export interface CloneMember {
  node: string
  repmgrId: number
  postgresqlVersion: number
}

export interface CloneOptions {
  /** The postgres system user, where the caller is root; empty where the caller is postgres. */
  as: Pick<RunOptions, 'uid' | 'gid'>
  /** At most this much a second; null: no limit. */
  rate: string | null
  /** Keeps what is replaced as main.outgoing. */
  keep: boolean
  /** Stops PostgreSQL, once the copy is complete. */
  stop: () => Promise<void>
  onProgress: (text: string) => void
}

/**
 * Copies the primary beside the data directory and its tablespaces, and swaps the copy in.
 * @throws one sentence where this machine lacks a directory or room for the copy.
 */
export async function cloneStandby(
  member: CloneMember,
  primary: Primary,
  { as, rate, keep, stop, onProgress }: CloneOptions,
): Promise<void> {
  const version = member.postgresqlVersion
  const directory = postgresqlPaths.incoming(version)
  const upstream = { host: primary.address, port: primary.port }
  const slot = slotName(member.repmgrId)
  process.env['PGPASSFILE'] = postgresqlPaths.repmgrPassfile
  const source = await withDatabase(
    { ...upstream, user: 'repmgr', database: 'repmgr' },
    SIZES_MS,
    (connection) => readCopySource(connection, primary.node),
  )
  const locations = source.tablespaces.map(({ location }) => location)
  const incoming = [directory, ...locations.map(incomingOf)]
  // A copy that a killed process left running holds the lock through its file descriptor: wait for its end.
  const lock = ['--wait', String(LOCK_MS / 1000), '--no-fork', postgresqlPaths.cloneLock]
  await run('flock', [...lock, 'sh', '-ec', CLEAN, 'clean', ...incoming], { ...as, timeoutMs: LOCK_MS })
  await makeRoom(version, source)
  await withDatabase({ ...upstream, user: 'repmgr', database: 'repmgr' }, SIZES_MS, (connection) =>
    renewSlot(connection, slot),
  )
  const tablespaces = locations.map((from) => ({ from, to: incomingOf(from) }))
  const copy = [
    postgresqlPaths.bin(version, 'pg_basebackup'),
    ...copyArguments({ ...upstream, directory, slot, tablespaces, rate }),
  ]
  await runTelling(
    'flock',
    [...lock, 'sh', '-ec', CLEAN_AND_COPY, 'copy', ...incoming, '--', ...copy],
    { ...as, silentMs: SILENT_MS, env: { LC_ALL: 'C', PGOPTIONS: COPY_OPTIONS } },
    (line) => {
      const progress = parseProgress(line)
      if (progress === null) return
      onProgress(sayProgress(progress))
      for (const place of [dirname(directory), ...locations])
        if (freeBytes(place) < RESERVE_BYTES / 2)
          throw new UnderstudyError(
            EXIT.failed,
            `the copy was ended, because less than ${bytes(RESERVE_BYTES / 2)} are free on the disk of ${place}; make room there`,
          )
    },
  )
  makeStandby(directory, member, upstream)
  await stop()
  swapIn(version, keep)
}

/** @throws where this machine cannot take the copy, even without what the last one replaced. */
async function makeRoom(version: number, source: CopySource): Promise<void> {
  let refusal = await whyNotCopy(version, source)
  if (refusal?.lacks === 'room') {
    dropOutgoing(version)
    refusal = await whyNotCopy(version, source)
  }
  if (refusal !== null) throw new UnderstudyError(EXIT.failed, refusal.why)
}

function sayProgress({ doneBytes, totalBytes }: CopyProgress): string {
  const percent = totalBytes === 0 ? 100 : Math.min(100, Math.floor((doneBytes / totalBytes) * 100))
  return `${bytes(doneBytes)} of ${bytes(totalBytes)} (${percent} %)`
}
