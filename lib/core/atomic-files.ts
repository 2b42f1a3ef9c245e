import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { EXIT, UnderstudyError } from './errors.ts'
import { keepQuestion } from './questions.ts'

export interface FileOptions {
  mode?: number
  uid?: number
  gid?: number
}

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants

/** Flags of open(2) for a file that must not be there yet, not even as a link. */
export const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
/** Flags of open(2) for a directory itself: a link in its place is an error. */
export const REAL_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW

/** Part of a name that nobody can guess, and so nobody can plant. */
export const randomName = (): string => randomBytes(6).toString('hex')

/** @returns the text, or null where there is no such file. */
export function readText(path: string): string | null {
  keepQuestion('file', path)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** What a handler has noted in a file of its own; null where there is none, or it cannot be read: such a note is made again. */
export function readNote<T>(path: string): T | null {
  try {
    return JSON.parse(readText(path) ?? 'null') as T | null
  } catch {
    return null
  }
}

/**
 * Makes a file hold this text. If it already does, nothing happens; else a temporary file is written beside it, flushed and
 * renamed, so that a reader sees the old text or the new one. Owner and mode are set by descriptor, before the name exists:
 * somebody else who may write in the directory cannot lead us to another file.
 * @returns whether anything changed.
 */
export function replaceFile(
  path: string,
  text: string,
  { mode = 0o644, uid, gid }: FileOptions = {},
): boolean {
  if (isAsWanted(path, { mode, uid, gid }) && readText(path) === text) return false
  const temporary = `${path}.${randomName()}.tmp`
  const file = openSync(temporary, NEW_FILE, 0o600)
  try {
    // Not writeSync: on a full disk that writes a part and says nothing.
    writeFileSync(file, text)
    if (uid !== undefined && gid !== undefined) fchownSync(file, uid, gid)
    fchmodSync(file, mode)
    fsyncSync(file)
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

/** More links than Linux itself follows. */
const MOST_LINKS = 40

/**
 * Where a file lies that may be a link.
 * @throws where a link is not root's or our own: its owner could lead us to another file.
 */
export function followLinks(path: string): string {
  let place = path
  for (let links = 0; links < MOST_LINKS; links++) {
    const found = lstatSync(place, { throwIfNoEntry: false })
    if (!found?.isSymbolicLink()) return place
    if (found.uid !== 0 && found.uid !== process.geteuid?.())
      throw new UnderstudyError(
        EXIT.config,
        `${place} is a link of somebody else than root, who could lead it elsewhere; give it to root (chown -h root ${place}), or put the file there`,
      )
    place = resolve(dirname(place), readlinkSync(place))
  }
  throw new UnderstudyError(EXIT.config, `${path} is a link that leads nowhere; put the file there`)
}

/**
 * Changes a file of somebody else as {@link replaceFile} does: where a link leads, and with the owner and mode that it has.
 * @param options for a file that is missing.
 * @returns whether anything changed.
 */
export function changeFile(
  path: string,
  change: (text: string) => string,
  options: FileOptions = {},
): boolean {
  const place = followLinks(path)
  const found = lstatSync(place, { throwIfNoEntry: false })
  const kept = found && { uid: found.uid, gid: found.gid, mode: found.mode & 0o777 }
  return replaceFile(place, change(readText(place) ?? ''), kept ?? options)
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

/** Is it a file, not a link to one, with this owner and mode? */
function isAsWanted(
  path: string,
  { mode, uid, gid }: { [key in keyof FileOptions]: number | undefined },
): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return (
    found?.isFile() === true &&
    (found.mode & 0o777) === mode &&
    (uid ?? found.uid) === found.uid &&
    (gid ?? found.gid) === found.gid
  )
}

/** Is there anything at this path? Not existsSync, which asks access(2): that leaves the capabilities of a user out. */
export function exists(path: string): boolean {
  keepQuestion('file', path)
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/**
 * Makes a directory, and those above it, with this owner and mode. One that is there already stays as it is. Owner and mode
 * are set by descriptor, before the name exists.
 */
export function makeOwned(path: string, { mode, uid, gid }: Required<FileOptions>): void {
  if (exists(path)) return
  makeOwned(dirname(path), { mode, uid, gid })
  const temporary = mkdtempSync(`${path}.`)
  try {
    const directory = openSync(temporary, REAL_DIRECTORY)
    try {
      fchownSync(directory, uid, gid)
      fchmodSync(directory, mode)
    } finally {
      closeSync(directory)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmdirSync(temporary)
    throw error
  }
}

/** Makes a path a link to another one. A reader sees what was there, or the link. */
export function replaceLink(path: string, target: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(path) === target) return
  const temporary = `${path}.${randomName()}.tmp`
  symlinkSync(target, temporary)
  renameSync(temporary, path)
  syncToDisk(dirname(path))
}
