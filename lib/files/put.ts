import { randomBytes } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  createReadStream,
  createWriteStream,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { syncToDisk } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { SharedFolder } from './api.ts'
import { isWithin } from './decide-folders.ts'

/** Where a file is to be written. */
export interface Place {
  folder: SharedFolder
  /** Absolute. */
  file: string
  /** In the folder. */
  path: string
}

/** Standard input, in place of a file. */
const STDIN = '-'
const DEFAULT_MODE = 0o644

/** Finds the folder that a destination is in. A directory as destination takes the file under its own name. @throws one sentence. */
export function placeOf(source: string, destination: string, folders: readonly SharedFolder[]): Place {
  const found = statOrNull(destination)
  const wantsDirectory = destination.endsWith('/') || found?.isDirectory() === true
  if (wantsDirectory && source === STDIN)
    throw usageError(`${destination} is a directory; name the file that standard input is written to`)
  const named = wantsDirectory ? join(destination, basename(source)) : resolve(destination)
  const directory = realOrNull(dirname(named))
  if (directory === null) throw usageError(`there is no directory ${dirname(named)}; make it first`)
  const file = join(directory, basename(named))
  const existing = statOrNull(file)
  if (existing !== null && !existing.isFile()) throw usageError(`${file} is there already, and is not a file`)
  const folder = folders.find(({ path }) => isWithin(file, path))
  if (folder === undefined) {
    const known = folders.map(({ path }) => path).join(', ') || 'none'
    throw usageError(`${file} is not in a replicated folder; they are: ${known}`)
  }
  return { folder, file, path: relative(folder.path, file) }
}

/** @throws one sentence where there is nothing that could be put. */
export function checkSource(source: string): void {
  if (source === STDIN) return
  const found = statOrNull(source)
  if (found === null) throw usageError(`there is no file ${source}`)
  if (!found.isFile())
    throw usageError(
      `${source} is not a file; put its files one by one, or copy them and use understudy files wait`,
    )
  try {
    accessSync(source, constants.R_OK)
  } catch (cause) {
    throw new UnderstudyError(EXIT.config, `could not read ${source}`, { cause })
  }
}

/**
 * Writes the file beside its destination, under a name that Syncthing takes for one of its own and clears away where we are
 * killed; then fsync and rename, so that the others get the old file or the new one. Keeps the mode of what it replaces,
 * else of the source; owner and group, as far as we may, of what it replaces, else of the directory.
 * @returns what was written, for {@link isStill}.
 */
export async function writeFile(source: string, { file }: Place): Promise<Stats> {
  const replaced = statOrNull(file)
  const directory = statSync(dirname(file))
  const mode = (replaced ?? (source === STDIN ? null : statSync(source)))?.mode ?? DEFAULT_MODE
  const { uid, gid } = replaced ?? directory
  const temporary = join(dirname(file), `.syncthing.understudy-${randomBytes(6).toString('hex')}.tmp`)
  try {
    const input = source === STDIN ? process.stdin : createReadStream(source)
    await pipeline(input, createWriteStream(temporary, { mode: 0o600, flags: 'wx' }))
    own(temporary, uid, gid)
    chmodSync(temporary, mode & 0o7777)
    syncToDisk(temporary)
    renameSync(temporary, file)
    syncToDisk(dirname(file))
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw new UnderstudyError(EXIT.failed, `could not write ${file}; what was there before still is`, {
      cause,
    })
  }
  return statSync(file)
}

/** Is it still what we have written? Syncthing never changes a file in place. */
export function isStill(written: Stats, { file }: Place): boolean {
  const now = statOrNull(file)
  return (
    now !== null && now.ino === written.ino && now.mtimeMs === written.mtimeMs && now.size === written.size
  )
}

/** Only root may give a file away; to a group of its own anybody may. */
function own(path: string, uid: number, gid: number): void {
  const us = process.getuid?.() ?? 0
  try {
    chownSync(path, us === 0 ? uid : us, gid)
  } catch (error) {
    if (us === 0 || (error as NodeJS.ErrnoException).code !== 'EPERM') throw error
  }
}

const statOrNull = (path: string): Stats | null => orNull(() => statSync(path))
const realOrNull = (path: string): string | null => orNull(() => realpathSync(path))

/** null where there is no such file. */
function orNull<T>(look: () => T): T | null {
  try {
    return look()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
