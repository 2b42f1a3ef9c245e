import {
  accessSync,
  constants,
  createReadStream,
  lstatSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { type FileHandle, open, rename, rm, writeFile as writeAll } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { NEW_FILE, REAL_DIRECTORY, randomName } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { SharedFolder } from './api.ts'
import { isWithin } from './decide-folders.ts'
import { nameProblem } from './decide-names.ts'

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

/** The folder that a destination is in, and the path there. Into a directory, the file goes under its own name. @throws `usage`. */
export function placeOf(source: string, destination: string, folders: readonly SharedFolder[]): Place {
  const found = statOrNull(destination)
  const wantsDirectory = destination.endsWith('/') || found?.isDirectory() === true
  if (wantsDirectory && source === STDIN)
    throw usageError(`${destination} is a directory; name the file to write standard input to`)
  const named = wantsDirectory ? join(destination, basename(source)) : resolve(destination)
  const directory = realOrNull(dirname(named))
  if (directory === null) throw usageError(`there is no directory ${dirname(named)}; make it first`)
  const file = join(directory, basename(named))
  const folder = folders.find(({ path }) => isWithin(file, path))
  if (folder === undefined) {
    const paths = folders.map(({ path }) => path).join(', ') || 'none'
    throw usageError(`${file} is not in a replicated folder; the folders are: ${paths}`)
  }
  const path = relative(folder.path, file)
  const wrong = nameProblem(path)
  if (wrong !== null) throw usageError(wrong)
  const existing = statOrNull(file)
  if (existing !== null && !existing.isFile()) throw usageError(`${file} exists already and is not a file`)
  return { folder, file, path }
}

/** @throws where the source is no file, or cannot be read. */
export function checkSource(source: string): void {
  if (source === STDIN) return
  const found = statOrNull(source)
  if (found === null) throw usageError(`there is no file ${source}`)
  if (!found.isFile())
    throw usageError(
      `${source} is not a file; put its files one by one, or copy them yourself and run understudy files wait`,
    )
  try {
    accessSync(source, constants.R_OK)
  } catch (cause) {
    throw new UnderstudyError(EXIT.config, `could not read ${source}`, { cause })
  }
}

/**
 * Writes a temporary file beside the destination, flushes and renames it, so that the others get the old file or the new one.
 * Syncthing takes the temporary name for one of its own, and clears it away if we are killed. Keeps the mode of the file that
 * it replaces, else of the source; owner and group, as far as we may, of that file, else of the directory. A link in place of
 * the file is replaced as if there were nothing.
 * @returns what was written, for {@link isStill}.
 * @throws `failed` also where the directory was moved or replaced by a link meanwhile.
 */
export async function writeFile(source: string, { file }: Place): Promise<Stats> {
  try {
    const directory = await open(dirname(file), REAL_DIRECTORY)
    try {
      return await writeInto(directory, source, file)
    } finally {
      await directory.close()
    }
  } catch (cause) {
    const why = `could not write ${file}; what was there before is unchanged`
    throw new UnderstudyError(EXIT.failed, why, { cause })
  }
}

/** Names are looked up in the open directory (proc(5)): a link that somebody plants meanwhile leads nowhere else. */
async function writeInto(directory: FileHandle, source: string, file: string): Promise<Stats> {
  const at = (name: string): string => `/proc/self/fd/${directory.fd}/${name}`
  checkInPlace(directory, dirname(file))
  const found = orNull(() => lstatSync(at(basename(file))))
  const replaced = found?.isFile() ? found : null
  const mode = (replaced ?? (source === STDIN ? null : statSync(source)))?.mode ?? DEFAULT_MODE
  const { uid, gid } = replaced ?? (await directory.stat())
  const temporary = at(`.syncthing.understudy-${randomName()}.tmp`)
  const made = await open(temporary, NEW_FILE, 0o600)
  try {
    await writeAll(made, source === STDIN ? process.stdin : createReadStream(source))
    await own(made, uid, gid)
    await made.chmod(mode & 0o7777)
    await made.sync()
    checkInPlace(directory, dirname(file))
    await rename(temporary, at(basename(file)))
    await directory.sync()
    return await made.stat()
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    await made.close()
  }
}

/** @throws where the open directory is not the one at this path (any more): it may be outside of the folder. */
function checkInPlace(directory: FileHandle, path: string): void {
  if (readlinkSync(`/proc/self/fd/${directory.fd}`) !== path)
    throw new Error(`the directory ${path} was moved or replaced meanwhile`)
}

/** Is it still what we have written? Syncthing never changes a file in place. */
export function isStill(written: Stats, { file }: Place): boolean {
  const now = orNull(() => lstatSync(file))
  return (
    now !== null && now.ino === written.ino && now.mtimeMs === written.mtimeMs && now.size === written.size
  )
}

/** Only root may change the owner; everybody else may at most choose one of their own groups. */
async function own(made: FileHandle, uid: number, gid: number): Promise<void> {
  const us = process.getuid?.() ?? 0
  try {
    await made.chown(us === 0 ? uid : us, gid)
  } catch (error) {
    if (us === 0 || (error as NodeJS.ErrnoException).code !== 'EPERM') throw error
  }
}

const statOrNull = (path: string): Stats | null => orNull(() => statSync(path))
const realOrNull = (path: string): string | null => orNull(() => realpathSync(path))

/** null if there is no such file. */
function orNull<T>(look: () => T): T | null {
  try {
    return look()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return null
    throw error
  }
}
