import { dirname, join } from 'node:path'
import { makeOwned, replaceFile } from '../core/atomic-files.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import { groupId, userId } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import { localSyncthing, type Syncthing } from './client.ts'
import type { Change, SyncthingPlan } from './decide.ts'
import type { Folder } from './manifest.ts'
import { rememberMarkers } from './markers.ts'
import { rememberMounts } from './mounts.ts'

/** Carries out the changes of a plan. If one fails, the others are still made. @throws all failures in one error. */
export async function applyConfiguration({ changes }: SyncthingPlan): Promise<void> {
  const daemon = localSyncthing()
  const failed: unknown[] = []
  const notMade = new Set<string>()
  for (const change of changes) {
    // Syncthing would create it itself, with the wrong owner.
    if (change.what === 'add-folder' && notMade.has(change.path)) continue
    try {
      await applyChange(daemon, change)
    } catch (error) {
      failed.push(error)
      if (change.what === 'make-directory') notMade.add(change.folder.path)
    }
  }
  if (failed.length > 0) throw new UnderstudyError(EXIT.failed, failed.map(explain).join('; '))
}

async function applyChange(daemon: Syncthing, change: Change): Promise<void> {
  switch (change.what) {
    case 'options':
      return daemon.changeOptions(change.values)
    case 'add-device':
      return daemon.addDevice(change.values)
    case 'change-device':
      return daemon.changeDevice(change.id, change.values)
    case 'remove-device':
      return daemon.removeDevice(change.id)
    case 'make-directory':
      return makeDirectory(change.folder)
    case 'add-folder':
      // Before the folder exists, or Syncthing would send the ignored files first.
      if (change.ignore.length > 0)
        replaceFile(join(change.path, '.stignore'), `${change.ignore.join('\n')}\n`)
      return daemon.addFolder(change.values)
    case 'change-folder':
      return daemon.changeFolder(change.id, change.values)
    case 'remove-folder':
      return daemon.removeFolder(change.id)
    case 'remember-mounts':
      rememberMounts(change.points)
      return
    case 'remember-markers':
      rememberMarkers(change.markers)
      return
    case 'read-anew':
      await throughRestart(daemon, () => daemon.forgetFolder(change.id))
      rememberMarkers(change.markers)
      return
    case 'restart':
      return throughRestart(daemon, () => daemon.restart())
    case 'ignores':
      return daemon.setIgnores(change.id, change.ignore)
  }
}

/** Ending takes it a second, or ten where it is busy; then it reads its database. */
const RESTART_MS = 60_000

/** Asks Syncthing for something after which it starts again, and waits until it has. */
async function throughRestart(daemon: Syncthing, ask: () => Promise<void>): Promise<void> {
  const before = await daemon.startedAt()
  await ask()
  await waitFor('Syncthing to start again', RESTART_MS, async () =>
    (await daemon.startedAt()) === before ? null : true,
  )
}

/** The directory gets the owner and mode that it has where the folder was added. Missing ones above it are root's, 0755. */
async function makeDirectory({ path, owner, group, mode }: Folder): Promise<void> {
  const [uid, gid] = await Promise.all([userId(owner), groupId(group)])
  if (uid === null || gid === null)
    throw new UnderstudyError(EXIT.config, `the user ${owner} or the group ${group} does not exist here`)
  makeOwned(dirname(path), { uid: 0, gid: 0, mode: 0o755 })
  makeOwned(path, { uid, gid, mode: Number.parseInt(mode, 8) })
}
