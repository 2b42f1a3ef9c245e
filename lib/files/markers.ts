import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import type { Markers, MarkersSeen } from './decide-markers.ts'
import { filesPaths } from './manifest.ts'

/** The markers that these folders have, and those that they had when we looked last. */
export function readMarkers(folders: readonly { id: string; path: string }[]): MarkersSeen {
  const now = folders.flatMap(({ id, path }) => {
    const made = madeAt(path)
    return made === null ? [] : [[id, made]]
  })
  return { now: Object.fromEntries(now) as Markers, known: readNote<Markers>(filesPaths.markers) ?? {} }
}

export const rememberMarkers = (markers: Markers): boolean =>
  replaceFile(filesPaths.markers, `${JSON.stringify(markers)}\n`)

/** When the marker of a folder was made. No program can set that, as it can the time of a change; not every file system keeps it. */
function madeAt(path: string): string | null {
  try {
    const { birthtimeNs } = lstatSync(join(path, '.stfolder'), { bigint: true })
    return birthtimeNs === 0n ? null : String(birthtimeNs)
  } catch {
    return null
  }
}
