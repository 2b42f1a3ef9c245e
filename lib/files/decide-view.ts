import { foldersIn, withPaused } from './config.ts'
import { isWithin } from './decide-folders.ts'
import { isStranger, type MarkersSeen } from './decide-markers.ts'
import { mountsIn, mountsOn, usedPaths } from './decide-mounts.ts'
import { filesPaths } from './manifest.ts'

export interface ViewFacts {
  /** What Syncthing's mount namespace has: the text of /proc/self/mountinfo. */
  mountinfo: string
  /** Syncthing's config.xml; empty where there is none yet. */
  config: string
  /** Of the folders in it. */
  markers: MarkersSeen
}

export interface ViewPlan {
  do: 'nothing' | 'detach' | 'pause'
  why: string
  config: string
  /** Where to unmount, once each. What is mounted at or below these points is not Syncthing's matter. */
  points: readonly string[]
}

/** What Syncthing uses besides its folders. */
const USED = ['/usr', '/etc', '/run', '/tmp', '/var/tmp', filesPaths.home]
/** File systems of the kernel, and devices: no folder is there. */
const KERNEL = ['/proc', '/sys', '/dev']

/**
 * Of all mounts, Syncthing keeps those that its folders are on. It sees nothing that is mounted inside a folder, and holds no
 * other disk of the machine. A folder that is another directory than before is paused: what that lacks was not deleted. The
 * handler `files` has it read anew.
 */
export function decideView({ mountinfo, config, markers }: ViewFacts): ViewPlan {
  const folders = foldersIn(config)
  const points = unusedPoints(
    mountinfo,
    folders.map(({ path }) => path),
  )
  if (points.length > 0)
    return { do: 'detach', why: 'Syncthing has no use for the other mounts', config, points }
  const strangers = folders.filter(({ id, paused }) => !paused && isStranger(id, markers))
  if (strangers.length > 0)
    return {
      do: 'pause',
      why: `these folders are no longer the directories that they were: ${strangers.map(({ path }) => path).join(' and ')}`,
      config: withPaused(
        config,
        strangers.map(({ id }) => id),
      ),
      points,
    }
  return { do: 'nothing', why: 'only what the folders are on is mounted', config, points }
}

/** Where something is mounted that none of these folders, nor Syncthing itself, is on. */
function unusedPoints(mountinfo: string, folders: readonly string[]): string[] {
  const mounts = mountsIn(mountinfo)
  const kept = new Set([...USED, ...folders.flatMap(usedPaths)].flatMap((path) => mountsOn(path, mounts)))
  const keptIds = new Set([...kept].map(({ id }) => id))
  const points = mounts
    .filter((mount) => !kept.has(mount) && keptIds.has(mount.parent))
    .filter(({ point }) => !KERNEL.some((path) => isWithin(point, path)))
    // One that is hidden by another has no path.
    .filter((mount) => mountsOn(mount.point, mounts).includes(mount))
    .map(({ point }) => point)
  return [...new Set(points)]
}
