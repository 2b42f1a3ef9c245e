import { readdirSync, readFileSync } from 'node:fs'
import * as v from 'valibot'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { keepQuestion } from '../core/questions.ts'
import { type FolderMounts, type Mount, mountedInside, mountsIn } from './decide-mounts.ts'
import { filesPaths } from './manifest.ts'

export const MOUNTINFO = '/proc/self/mountinfo'

/** What is mounted now, as this process sees it. */
export function readMounts(): Mount[] {
  keepQuestion('file', MOUNTINFO)
  return mountsIn(readFileSync(MOUNTINFO, 'utf8'))
}

/** Where file systems are mounted now, as this process sees it. */
export const readMountPoints = (): string[] => readMounts().map(({ point }) => point)

/** What was mounted inside folders when we looked last; survives a boot. Empty if there is no record, or it cannot be read. */
export function readRememberedMounts(): string[] {
  try {
    return v.parse(v.array(v.string()), JSON.parse(readText(filesPaths.mounts) ?? '[]'))
  } catch {
    return []
  }
}

export const rememberMounts = (points: readonly string[]): boolean =>
  replaceFile(filesPaths.mounts, `${JSON.stringify(points)}\n`)

/** What is, or was, mounted inside the folder at a path. */
export const lookInside = (
  path: string,
  points: readonly string[],
  remembered: readonly string[],
): FolderMounts => ({
  mounted: mountedInside(path, points),
  missing: mountedInside(path, remembered).filter((point) => !points.includes(point) && isEmpty(point)),
})

/** A directory that cannot be read counts as empty: nobody knows what is in it. */
function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}
