import { readFileSync, statSync } from 'node:fs'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { execQuick } from '../core/exec-quick.ts'
import { foldersIn } from './config.ts'
import { type Mount, mountsIn, mountsOn } from './decide-mounts.ts'
import type { ViewFacts, ViewPlan } from './decide-view.ts'
import { filesPaths } from './manifest.ts'
import { readMarkers } from './markers.ts'
import { MOUNTINFO } from './mounts.ts'

/** Detaching asks no disk and no server. */
const DETACH_MS = 20_000

/** What is mounted in this namespace. @throws where it is that of the machine, whose disks must stay. */
export function observeView(): ViewFacts {
  const mountinfo = readFileSync(MOUNTINFO, 'utf8')
  const [root] = mountsOn('/', mountsIn(mountinfo))
  if (!root?.isPrivate)
    throw new UnderstudyError(
      EXIT.config,
      'this is not a private mount namespace; it is understudy-syncthing.service that calls this handler',
    )
  const config = readText(filesPaths.config) ?? ''
  return { mountinfo, config, markers: readMarkers(foldersIn(config)) }
}

/** Detaches mounts from this namespace, and notes what is left for those who compare it with the machine's; or pauses folders. */
export async function applyView({ do: what, points, config }: ViewPlan): Promise<void> {
  if (what === 'pause') {
    const { uid, gid } = statSync(filesPaths.config)
    replaceFile(filesPaths.config, config, { uid, gid, mode: 0o600 })
    return
  }
  if (points.length > 0) {
    // No helper that would tell a server, no note in /run/mount, no look at a disk that may hang.
    const args = ['--lazy', '--internal-only', '--no-mtab', '--no-canonicalize', '--', ...points]
    const { exitCode, stderr } = await execQuick('/usr/bin/umount', args, DETACH_MS)
    if (exitCode !== 0) throw new UnderstudyError(EXIT.failed, `could not detach a mount: ${stderr.trim()}`)
  }
  replaceFile(filesPaths.view, readFileSync(MOUNTINFO, 'utf8'))
}

/** What is mounted in Syncthing's namespace since its start; null where it was started without one. */
export function readView(): Mount[] | null {
  const text = readText(filesPaths.view)
  return text === null ? null : mountsIn(text)
}
