import type { Context } from '../consul/handler.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { localSyncthing } from './client.ts'
import type { DirectoryFact, SyncthingConfig, SyncthingFacts } from './decide.ts'
import type { Folders } from './decide-folders.ts'
import { isElsewhere } from './decide-mounts.ts'
import { inspectDirectory, isMarked } from './directory.ts'
import { readSharedFolders } from './document.ts'
import { filesKeys } from './manifest.ts'
import { readMarkers } from './markers.ts'
import { lookInside, readMountPoints, readMounts, readRememberedMounts } from './mounts.ts'
import { readView } from './view.ts'

/** Members and folders in Consul, and the configuration of this machine's Syncthing. */
export async function observeConfiguration(
  { settings, consul }: Context,
  _run: Run,
  event: Pick<SyncthingFacts, 'mergeFiles'>,
): Promise<SyncthingFacts> {
  const [members, folders, config] = await Promise.all([
    orUnknown(consul.list(filesKeys.nodes)),
    orUnknown(readSharedFolders(consul)),
    orUnknown(readConfig()),
  ])
  const { node, address } = settings
  const directories = await inspectNew(folders, config)
  const remembered = readRememberedMounts()
  const mounts = lookInsideAll(config, remembered)
  const elsewhere = lookElsewhere(folders, config)
  const seen = config === UNKNOWN ? [] : config.folders.filter(({ path }) => !elsewhere.has(path))
  const markers = readMarkers(seen)
  return {
    ...{ node, address, members, folders, syncthing: config, directories, mounts, remembered },
    ...{ elsewhere, markers },
    ...event,
  }
}

async function readConfig(): Promise<SyncthingConfig> {
  const daemon = localSyncthing()
  const [deviceId, options, devices, folders] = await Promise.all([
    daemon.deviceId(),
    daemon.options(),
    daemon.devices(),
    daemon.folders(),
  ])
  // Not from the folder's state: just after a start, a folder without its marker looks like any other.
  // One that is paused has none to ask for.
  const marked = folders.filter(({ path, paused }) => !paused && isMarked(path))
  const ignores = await Promise.all(marked.map(async ({ id }) => [id, await daemon.ignores(id)] as const))
  return { deviceId, options, devices, folders, ignores: Object.fromEntries(ignores) }
}

/** What is, or was, mounted inside the folders that are shared here. */
function lookInsideAll(
  config: SyncthingConfig | Unknown,
  remembered: readonly string[],
): SyncthingFacts['mounts'] {
  if (config === UNKNOWN) return new Map()
  const points = readMountPoints()
  return new Map(config.folders.map(({ path }) => [path, lookInside(path, points, remembered)] as const))
}

/** Paths of folders at which Syncthing has another file system than this machine. */
function lookElsewhere(folders: Folders | null | Unknown, config: SyncthingConfig | Unknown): Set<string> {
  const view = readView()
  if (view === null) return new Set()
  const here = readMounts()
  const shared = config === UNKNOWN ? [] : config.folders
  const wanted = folders === UNKNOWN || folders === null ? [] : [...folders.valid.values()]
  const paths = [...shared, ...wanted].map(({ path }) => path)
  return new Set(paths.filter((path) => isElsewhere(path, here, view)))
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
