import { type Dirent, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { exists } from '../core/atomic-files.ts'
import { groupId, nameOfId, userId } from '../core/users.ts'
import type { DirectoryFact } from './decide.ts'
import { insideProblem } from './decide-mounts.ts'
import type { Folder, Ownership } from './manifest.ts'
import { readMountPoints } from './mounts.ts'

/** Syncthing's own files in a folder. */
const isSyncthings = (name: string): boolean => /^\.st(folder(\.removed-.*)?|ignore|versions)$/.test(name)

/** Is it still the same directory? Syncthing creates this marker when the folder is added, and expects it from then on. */
export const isMarked = (path: string): boolean => exists(join(path, '.stfolder'))

/** What is at a path, or null if there is nothing. */
export function lookAtDirectory(path: string): Exclude<DirectoryFact, { state: 'missing' }> | null {
  const unusable = (why: string) => ({ state: 'unusable', why }) as const
  try {
    const found = lstatSync(path)
    if (!found.isDirectory() && !found.isSymbolicLink()) return unusable(`${path} is not a directory`)
    const real = realpathSync(path)
    if (real !== path) return unusable(`${path} is a link to ${real}`)
    const inside = insideProblem(path, readMountPoints())
    if (inside !== null) return unusable(inside)
    const own = readdirSync(path).filter((name) => !isSyncthings(name))
    const [example] = own
    return example === undefined ? { state: 'empty' } : { state: 'used', entries: own.length, example }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      return unusable(`${path} cannot be read: ${(error as Error).message}`)
    return exists(path) ? unusable(`${path} is a broken link`) : null
  }
}

/** What is at a path that is to become a replicated folder. */
export async function inspectDirectory({
  path,
  owner,
  group,
}: Pick<Folder, 'path' | 'owner' | 'group'>): Promise<DirectoryFact> {
  const there = lookAtDirectory(path)
  if (there !== null) return there
  const above = nearestAbove(path)
  if (!isPlain(above))
    return { state: 'unusable', why: `${path} is below ${above}, which is a link or below one` }
  const ids = await Promise.all([userId(owner), groupId(group)])
  return { state: 'missing', ownerExists: !ids.includes(null) }
}

/** Names of a directory's owner and group, and its mode, as a folder of the cluster has them. */
export async function ownershipOf(path: string): Promise<Ownership> {
  const { uid, gid, mode } = statSync(path)
  const [owner, group] = await Promise.all([nameOfId('passwd', uid), nameOfId('group', gid)])
  return { owner, group, mode: (mode & 0o7777).toString(8).padStart(4, '0') }
}

/** The nearest directory above a path that exists. */
function nearestAbove(path: string): string {
  const above = dirname(path)
  return exists(above) ? above : nearestAbove(above)
}

/** Is an existing path free of links? A broken link counts as one. */
function isPlain(path: string): boolean {
  try {
    return realpathSync(path) === path
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** What a walk through a folder has found. */
export interface Walked {
  /** Conflict files, see https://docs.syncthing.net/users/syncing.html#conflicting-changes. */
  conflicts: number
  /** Sockets, pipes and devices, which Syncthing skips without a word, and one of them. */
  special: { count: number; example: string } | null
}

/** Walks through all that is below a path. What is ignored is not special. */
export function walk(path: string, isIgnored: (name: string) => boolean = () => false): Walked {
  let conflicts = 0
  const special: string[] = []
  const pending = ['']
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of entriesOf(join(path, directory))) {
      const name = join(directory, entry.name)
      if (entry.isDirectory()) {
        if (!isSyncthings(entry.name)) pending.push(name)
      } else if (entry.name.includes('.sync-conflict-') && !entry.name.startsWith('.syncthing.')) conflicts++
      else if (isSpecial(entry) && !isIgnored(name)) special.push(name)
    }
  }
  const [example] = special.sort()
  return { conflicts, special: example === undefined ? null : { count: special.length, example } }
}

const isSpecial = (entry: Dirent): boolean =>
  entry.isSocket() || entry.isFIFO() || entry.isCharacterDevice() || entry.isBlockDevice()

/** Empty if the directory was removed meanwhile. */
function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
