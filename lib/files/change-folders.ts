import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { changeDocument } from '../consul/change-document.ts'
import type { Consul } from '../consul/client.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import { labelFor, labelProblem, overlapProblem, pathProblem, readFolders } from './decide-folders.ts'
import { insideProblem } from './decide-mounts.ts'
import { lookAtDirectory, ownershipOf } from './directory.ts'
import type { FoldersCommand } from './folder-options.ts'
import { type Folder, type FoldersDocument, filesKeys, type Ownership } from './manifest.ts'
import { readMountPoints } from './mounts.ts'

type AddCommand = Extract<FoldersCommand, { verb: 'add' }>

/** With less free space, in percent, Syncthing would stop the folder at once (its minDiskFree). */
const LEAST_FREE_PERCENT = 1

/**
 * Owner and mode of a directory that is to become a folder of the cluster.
 * @throws where it cannot become one.
 */
export async function describeDirectory(path: string): Promise<Ownership> {
  const wrong = pathProblem(path)
  if (wrong !== null) throw usageError(`${wrong}, which cannot be replicated`)
  checkMounts(path)
  const there = lookAtDirectory(path)
  if (there === null) throw usageError(`there is no directory ${path} on this machine; make it first`)
  if (there.state === 'unusable') throw usageError(`${there.why}; name the directory itself`)
  checkWritable(path)
  return ownershipOf(path)
}

/** @throws where something is mounted inside a directory that is to become, or to join, a folder. */
export function checkMounts(path: string): void {
  const wrong = insideProblem(path, readMountPoints())
  if (wrong !== null) throw new UnderstudyError(EXIT.config, wrong)
}

/** Tries it: nothing else covers every reason why a directory may not be writable. */
function checkWritable(path: string): void {
  const { bavail, blocks } = statfsSync(path)
  if (blocks > 0 && (bavail / blocks) * 100 < LEAST_FREE_PERCENT)
    throw new UnderstudyError(EXIT.config, `the disk of ${path} is full; free some space first`)
  try {
    rmdirSync(mkdtempSync(join(path, '.syncthing.understudy-')))
  } catch (cause) {
    throw new UnderstudyError(EXIT.config, `${path} cannot be written on this machine`, { cause })
  }
}

/**
 * The document with one more folder. If the path and label are there already, that folder gets the new settings.
 * @throws where the folder cannot be added.
 */
export function withFolder(
  document: FoldersDocument,
  command: AddCommand,
  directory: Ownership,
  unique: string,
): { document: FoldersDocument; label: string; isNew: boolean } {
  const { valid } = readFolders(document)
  const { path, ignore, versioning, mergeFiles } = command
  const there = [...valid].find(([, other]) => other.path === path)
  const label = command.label ?? there?.[0] ?? labelFor(path)
  if (there && there[0] !== label) throw usageError(`${path} is already the folder ${there[0]}`)
  const wrong = labelProblem(label)
  if (wrong !== null) throw usageError(`${wrong}; add --label LABEL`)
  if (!there && Object.hasOwn(document.folders, label))
    throw usageError(`the label ${label} is taken by another folder; add --label LABEL`)
  const overlap = overlapProblem(
    path,
    [...valid].filter(([other]) => other !== label),
  )
  if (overlap !== null) throw usageError(overlap)
  const folder: Folder = {
    ...(there?.[1] ?? { id: `${label}-${unique}`.replace(/[^a-z0-9-]/g, '-'), path, ...directory }),
    ...{ ignore, versioning, mergeFiles },
  }
  const after: FoldersDocument = { schema: 1, folders: { ...document.folders, [label]: folder } }
  return { document: after, label, isNew: there === undefined }
}

/** The document without the folder of this label or path. @throws where there is no such folder. */
export function withoutFolder(
  document: FoldersDocument,
  what: string,
): { document: FoldersDocument; label: string } {
  const byPath = [...readFolders(document).valid].find(
    ([, { path }]) => path === what.replace(/(.)\/+$/, '$1'),
  )
  const label = byPath?.[0] ?? what
  if (!Object.hasOwn(document.folders, label)) {
    const labels = Object.keys(document.folders).sort().join(', ') || 'none'
    throw usageError(`there is no folder ${what}; the folders are: ${labels}`)
  }
  const { [label]: _removed, ...folders } = document.folders
  return { document: { schema: 1, folders }, label }
}

/** Changes the list of folders, see {@link changeDocument}. @returns the change that was made. */
export const changeFolders = <C extends { document: FoldersDocument }>(
  consul: Consul,
  change: (document: FoldersDocument) => C,
): Promise<C> => changeDocument(consul, filesKeys.folders, { what: 'the list of folders' }, change)

/** The part of a folder's id that makes it a new one. */
export const uniquePart = (): string => randomBytes(3).toString('hex')
