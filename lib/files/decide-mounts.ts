import { printable } from '../core/text.ts'
import { isWithin } from './decide-folders.ts'

/** What is, or was, mounted inside one folder, by mount points. */
export interface FolderMounts {
  mounted: readonly string[]
  /** It was mounted when we looked last and is not now, and an empty directory is in its place: a disk that is missing. */
  missing: readonly string[]
}

/** A mount, as /proc/PID/mountinfo describes it (proc(5)). Bind mounts and automounts count. */
export interface Mount {
  id: string
  parent: string
  device: string
  /** Which directory of the file system is mounted. */
  root: string
  point: string
  type: string
  /** What is mounted below it elsewhere does not appear here, nor the other way round. */
  isPrivate: boolean
}

/** What is mounted, from the text of /proc/self/mountinfo. */
export const mountsIn = (mountinfo: string): Mount[] =>
  mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [fields = '', file = ''] = line.split(' - ')
      const [id = '', parent = '', device = '', root = '', point = '', , ...tags] = fields.split(' ')
      const isPrivate = !tags.some((tag) => /^(shared|master):/.test(tag))
      const [type = ''] = file.split(' ')
      return { id, parent, device, root: unescaped(root), point: unescaped(point), type, isPrivate }
    })

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The mounts that a path leads through, from the root on. Mounts that are hidden below others are not among them. */
export function mountsOn(path: string, mounts: readonly Mount[]): Mount[] {
  const ids = new Set(mounts.map(({ id }) => id))
  const passed: Mount[] = []
  let here = mounts.find(({ id, parent }) => parent === id || !ids.has(parent))
  while (here !== undefined && !passed.includes(here)) {
    passed.push(here)
    const { id } = here
    const [next] = mounts
      .filter(({ parent, point }) => parent === id && isWithin(path, point))
      .sort((a, b) => a.point.length - b.point.length)
    here = next
  }
  return passed
}

/** Which directory of which file system a path is; null where that shows only when it is used, as with an automount. */
function placeOf(path: string, mounts: readonly Mount[]): string | null {
  const mount = mountsOn(path, mounts).at(-1)
  if (mount === undefined || mount.type === 'autofs') return null
  const { device, root, point } = mount
  return `${device} ${withoutEnd(root)}${path.slice(withoutEnd(point).length)}`
}

const withoutEnd = (path: string): string => (path === '/' ? '' : path)

/** The paths of a folder that Syncthing uses: its old versions may be on a disk of their own. */
export const usedPaths = (path: string): string[] => [path, `${path}/.stversions`]

/** Does Syncthing, with mounts of its own, have another file system at the path of a folder than the machine? */
export const isElsewhere = (path: string, here: readonly Mount[], syncthings: readonly Mount[]): boolean =>
  usedPaths(path).some((used) => {
    const place = placeOf(used, here)
    return place !== null && place !== placeOf(used, syncthings)
  })

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
    return `the folder ${label} is stopped, because ${named(mounted)} inside it and what is mounted is not replicated; unmount it, or mount it elsewhere`
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
