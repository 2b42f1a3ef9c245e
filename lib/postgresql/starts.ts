import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import { execQuick } from '../core/exec-quick.ts'
import { failedStarts, parseStopped, type Starts, type StoppedStandby } from './decide-starts.ts'
import { postgresqlPaths } from './manifest.ts'

/** It reads one small file. */
const CONTROLDATA_MS = 5000

/** The latest start as a standby since the boot; null if there was none, or it cannot be read. */
export const readStarts = (): Starts | null => readNote<Starts>(postgresqlPaths.starts)

/** How many starts of the stopped standby have failed, one after the other, and where its recovery has come. */
export async function observeStarts(
  version: number,
  nowMs: number,
): Promise<{ failed: number; last: Starts | null; position: string | null }> {
  const last = readStarts()
  const now = await readStopped(version)
  return { failed: failedStarts(last, now, nowMs), last, position: now.position }
}

async function readStopped(version: number): Promise<StoppedStandby> {
  const directory = postgresqlPaths.data(version)
  const program = postgresqlPaths.bin(version, 'pg_controldata')
  const { stdout } = await execQuick('/usr/bin/env', ['LC_ALL=C', program, directory], CONTROLDATA_MS)
  const control = statSync(join(directory, 'global/pg_control'), { throwIfNoEntry: false })
  return {
    ...parseStopped(stdout),
    controlMs: control?.mtimeMs ?? 0,
    receivedMs: newestWalMs(join(directory, 'pg_wal')),
  }
}

function newestWalMs(directory: string): number {
  try {
    const segments = readdirSync(directory).filter((name) => /^[0-9A-F]{24}$/.test(name))
    return Math.max(0, ...segments.map((name) => statSync(join(directory, name)).mtimeMs))
  } catch {
    return 0
  }
}

function write(starts: Starts): void {
  replaceFile(postgresqlPaths.starts, `${JSON.stringify(starts)}\n`)
}

/** Records a start. A disk that is full must not keep PostgreSQL from it: the file lies in memory. */
export function recordStart(version: number, failed: number, position: string | null): void {
  const logBytes = statSync(postgresqlPaths.log(version), { throwIfNoEntry: false })?.size ?? 0
  write({ failed, at: new Date().toISOString(), position, logBytes, cloned: readStarts()?.cloned ?? null })
}

/** Records that data which did not start was replaced by a copy. */
export function recordClone(): void {
  const at = new Date().toISOString()
  write({ failed: 0, at, position: null, logBytes: 0, cloned: at })
}
