import type { Completion, FolderStatus, Syncthing } from '../world/syncthing.ts'

/** What one machine has of a folder. */
export interface Copy {
  state: 'in-sync' | 'behind' | 'disconnected' | 'not-shared' | 'failing' | 'stopped'
  /** What it lacks, as far as is known; deletes count as files. */
  files: number
  bytes: number
  /** Where it is stopped, something cannot be read or written, or changes are not watched: why. */
  why?: string
}

/** A folder on all machines, as this machine's Syncthing sees it. */
export interface FolderCopies {
  label: string
  path: string
  /** Syncthing's sequence number of what is here. */
  sequence: number
  here: Copy
  /** By the names of the other machines. */
  others: Map<string, Copy>
}

/** The replicated files, as this machine's Syncthing sees them. */
export interface FilesSeen {
  folders: FolderCopies[]
  /** The other machines, and whether it is connected to them now. */
  connected: Map<string, boolean>
}

/** Asks this machine's Syncthing for every folder and machine. @throws where it does not answer. */
export async function observeFiles(daemon: Syncthing): Promise<FilesSeen> {
  const [peers, folders, connected] = await Promise.all([
    daemon.peers(),
    daemon.folders(),
    daemon.connected(),
  ])
  const copies = folders.map(async ({ id, label, path }): Promise<FolderCopies> => {
    const status = await daemon.folderStatus(id)
    const [error] = status.pullErrors > 0 ? await daemon.errors(id) : []
    const others = peers.map(async ({ deviceID, name }) => {
      const copy = copyOfPeer(connected.has(deviceID), await daemon.completion(id, deviceID))
      return [name, copy] as const
    })
    const here = copyHere(status, error ? `${error.path}: ${error.error}` : null)
    return { label, path, sequence: status.sequence, here, others: new Map(await Promise.all(others)) }
  })
  return {
    folders: await Promise.all(copies),
    connected: new Map(peers.map(({ deviceID, name }) => [name, connected.has(deviceID)])),
  }
}

/** Our own copy, from what Syncthing says of the folder. */
export function copyHere(status: FolderStatus, firstError: string | null): Copy {
  const { needTotalItems: files, needBytes: bytes, error, watchError } = status
  if (error !== '') return { state: 'stopped', files, bytes, why: error }
  if (firstError !== null) return { state: 'failing', files, bytes, why: firstError }
  const why = watchError === '' ? {} : { why: `changes are not watched: ${watchError}` }
  return { state: files === 0 ? 'in-sync' : 'behind', files, bytes, ...why }
}

/** The copy of another machine, from what it has told our Syncthing. */
export function copyOfPeer(connected: boolean, completion: Completion): Copy {
  const { needItems, needDeletes, needBytes: bytes, globalItems, sequence, remoteState } = completion
  const files = needItems + needDeletes
  if (!connected) return { state: 'disconnected', files, bytes }
  // Before 1.20 a device that does not share the folder is said to have everything; but it has told us of nothing.
  const shares = remoteState === undefined ? sequence > 0 || globalItems === 0 : remoteState === 'valid'
  if (!shares) return { state: 'not-shared', files, bytes }
  return { state: files === 0 ? 'in-sync' : 'behind', files, bytes }
}
