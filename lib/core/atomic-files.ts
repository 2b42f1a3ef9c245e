import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

export interface FileOptions {
  mode?: number
  uid?: number
  gid?: number
}

/** @returns the text, or null where there is no such file. */
export function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/**
 * Makes a file hold this text: nothing happens where it does already; else a temporary file beside it, fsync, rename, so
 * that a reader sees the old text or the new one. Owner and mode are set before the name exists.
 * @returns whether anything changed.
 */
export function replaceFile(
  path: string,
  text: string,
  { mode = 0o644, uid, gid }: FileOptions = {},
): boolean {
  if (readText(path) === text && isAsWanted(path, { mode, uid, gid })) return false
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w', 0o600)
  try {
    // Not writeSync: on a full disk that writes a part and says nothing.
    writeFileSync(file, text)
    fsyncSync(file)
    if (uid !== undefined && gid !== undefined) chownSync(temporary, uid, gid)
    chmodSync(temporary, mode)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  syncToDisk(dirname(path))
  return true
}

/** Makes what is in a file, or a rename in a directory, survive a power cut. */
export function syncToDisk(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function isAsWanted(
  path: string,
  { mode, uid, gid }: { [key in keyof FileOptions]: number | undefined },
): boolean {
  const found = statSync(path)
  return (found.mode & 0o777) === mode && (uid ?? found.uid) === found.uid && (gid ?? found.gid) === found.gid
}

/** Is there anything at this path? Not existsSync, which asks access(2): that leaves the capabilities of a user out. */
export const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/** Makes a directory, and those above it, with this owner and mode. One that is there already stays as it is. */
export function makeOwned(path: string, { mode, uid, gid }: Required<FileOptions>): void {
  if (exists(path)) return
  makeOwned(dirname(path), { mode, uid, gid })
  const temporary = `${path}.understudy.tmp`
  mkdirSync(temporary, { recursive: true, mode: 0o700 })
  chownSync(temporary, uid, gid)
  chmodSync(temporary, mode)
  renameSync(temporary, path)
}
