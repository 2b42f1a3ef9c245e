import { printable } from '../core/text.ts'
import { isWithin } from './decide-folders.ts'

/** What is, or was, mounted inside one folder, by mount points. */
export interface FolderMounts {
  mounted: readonly string[]
  /** It was mounted when we looked last and is not now, and an empty directory is in its place: a disk that is missing. */
  missing: readonly string[]
}

/** Where file systems are mounted, from the text of /proc/self/mountinfo (proc(5)). Bind mounts and automounts count. */
export const mountPointsIn = (mountinfo: string): string[] =>
  mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )

/** The outermost mount points below a folder. Syncthing never scans its old versions: they may be on a disk of their own. */
export function mountedInside(path: string, points: readonly string[]): string[] {
  const below = [...new Set(points)].filter(
    (point) => point !== path && isWithin(point, path) && !isWithin(point, `${path}/.stversions`),
  )
  return below.filter((point) => !below.some((other) => other !== point && isWithin(point, other))).sort()
}

/** Why a folder must stand still on this machine, or null. What cannot be seen would count as deleted. */
export function mountProblem(label: string, { mounted, missing }: FolderMounts): string | null {
  if (mounted.length > 0)
    return `the folder ${label} is stopped: ${named(mounted)} inside it, which is not replicated; unmount it, or mount it elsewhere`
  if (missing.length > 0)
    return `the folder ${label} is stopped: the file system at ${missing.map(printable).join(' and ')} inside it is gone and an empty directory is in its place; put its files back there, or remove the directory if they may be deleted on the others`
  return null
}

/** Why a directory cannot become a folder because of what is mounted inside it, or null. */
export function insideProblem(path: string, points: readonly string[]): string | null {
  const mounted = mountedInside(path, points)
  if (mounted.length === 0) return null
  return `${named(mounted)} inside ${path}, and what is mounted inside a folder cannot be replicated; unmount it, or mount it elsewhere`
}

/** The words for what is mounted: /srv/a/b is mounted. */
const named = (points: readonly string[]): string =>
  `${points.map(printable).join(' and ')} ${points.length === 1 ? 'is' : 'are'} mounted`

/** The mount points to remember, in a fixed order. */
export const toRemember = (mounts: ReadonlyMap<string, FolderMounts>): string[] =>
  [...mounts.values()].flatMap(({ mounted, missing }) => [...mounted, ...missing]).sort()
