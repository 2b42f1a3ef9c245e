import { dirname, join } from 'node:path'
import type { Folders } from '../cluster/folders.ts'
import { UNKNOWN, type Unknown } from '../decide/facts.ts'
import {
  type Change,
  type DirectoryFact,
  decideSyncthing,
  type SyncthingConfig,
  type SyncthingFacts,
  type SyncthingPlan,
} from '../decide/syncthing.ts'
import { EXIT, explain, UnderstudyError } from '../errors.ts'
import { readSharedFolders } from '../files/document.ts'
import { type Folder, kv } from '../kv.ts'
import type { Reconciler } from '../reconciler.ts'
import { inspectDirectory, isMarked } from '../world/directory.ts'
import { makeOwned, replaceFile } from '../world/files.ts'
import { localSyncthing, type Syncthing } from '../world/syncthing.ts'
import { groupId, userId } from '../world/users.ts'
import { known } from './observe.ts'

/** Keeps the devices and folders of this machine's Syncthing those of the members. */
export const syncthing = (
  options: Pick<SyncthingFacts, 'mergeFiles'>,
): Reconciler<SyncthingFacts, SyncthingPlan> => ({
  name: 'syncthing',

  async observe({ settings, consul }) {
    const [members, folders, config] = await Promise.all([
      known(consul.listValid(kv.syncthingNodes)),
      known(readSharedFolders(consul)),
      known(readConfig(localSyncthing())),
    ])
    const { node, address } = settings
    const directories = await inspectNew(folders, config)
    return { node, address, members, folders, syncthing: config, directories, ...options }
  },

  decide: decideSyncthing,

  async apply({ changes }) {
    const daemon = localSyncthing()
    const failed: unknown[] = []
    const notMade = new Set<string>()
    for (const change of changes) {
      // Syncthing would make it itself, with another owner.
      if (change.what === 'add-folder' && notMade.has(change.path)) continue
      try {
        await applyChange(daemon, change)
      } catch (error) {
        // One that fails must not keep the others from being done.
        failed.push(error)
        if (change.what === 'make-directory') notMade.add(change.folder.path)
      }
    }
    if (failed.length > 0) throw new UnderstudyError(EXIT.failed, failed.map(explain).join('; '))
  },
})

async function readConfig(daemon: Syncthing): Promise<SyncthingConfig> {
  const [deviceId, options, devices, folders] = await Promise.all([
    daemon.deviceId(),
    daemon.options(),
    daemon.devices(),
    daemon.folders(),
  ])
  // Not from its state: for a moment after a start, a folder whose marker is missing looks like any other.
  const marked = folders.filter(({ path }) => isMarked(path))
  const ignores = await Promise.all(marked.map(async ({ id }) => [id, await daemon.ignores(id)] as const))
  return { deviceId, options, devices, folders, ignores: Object.fromEntries(ignores) }
}

/** What is at the paths of the folders that are not shared here yet. */
async function inspectNew(
  folders: Folders | null | Unknown,
  config: SyncthingConfig | Unknown,
): Promise<Map<string, DirectoryFact>> {
  if (folders === UNKNOWN || folders === null || config === UNKNOWN) return new Map()
  const fresh = [...folders.valid.values()].filter(({ id }) => !config.folders.some((has) => has.id === id))
  return new Map(
    await Promise.all(fresh.map(async (folder) => [folder.path, await inspectDirectory(folder)] as const)),
  )
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
      // Before the folder is there: what is to be ignored must not be sent first.
      if (change.ignore.length > 0)
        replaceFile(join(change.path, '.stignore'), `${change.ignore.join('\n')}\n`)
      return daemon.addFolder(change.values)
    case 'change-folder':
      return daemon.changeFolder(change.id, change.values)
    case 'remove-folder':
      return daemon.removeFolder(change.id)
    case 'ignores':
      return daemon.setIgnores(change.id, change.ignore)
  }
}

/** The directories above it belong to root and can be read by all; itself it is as it was where the folder was added. */
async function makeDirectory({ path, owner, group, mode }: Folder): Promise<void> {
  const [uid, gid] = await Promise.all([userId(owner), groupId(group)])
  if (uid === null || gid === null)
    throw new UnderstudyError(EXIT.config, `there is no user ${owner} or group ${group}`)
  makeOwned(dirname(path), { uid: 0, gid: 0, mode: 0o755 })
  makeOwned(path, { uid, gid, mode: Number.parseInt(mode, 8) })
}
