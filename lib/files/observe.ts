import { printable } from '../core/text.ts'
import type { Syncthing } from './client.ts'
import { type Copy, copyElsewhere, copyHere, type FilesSeen, type FolderCopies } from './decide-copy.ts'

/** The report of the handler `files`, which has paused it, says why. */
const PAUSED: Copy = { state: 'stopped', files: 0, bytes: 0 }

function errorText(errors: readonly { path: string; error: string }[]): string | null {
  const [first, ...more] = errors
  if (first === undefined) return null
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`
  return printable(`${first.path}: ${first.error.trimEnd()}${others}`)
}

/** Asks this machine's Syncthing for every folder and machine. @throws `unavailable` if it does not answer. */
export async function observeFiles(daemon: Syncthing): Promise<FilesSeen> {
  const [devices, folders, connected] = await Promise.all([
    daemon.otherDevices(),
    daemon.folders(),
    daemon.connected(),
  ])
  const copies = folders.map(async ({ id, label, path, paused }): Promise<FolderCopies> => {
    if (paused) return { label, path, sequence: -1, here: PAUSED, others: new Map() }
    const status = await daemon.folderStatus(id)
    const errors = status.pullErrors > 0 ? await daemon.errors(id) : []
    const others = devices.map(async ({ deviceID, name }) => {
      const copy = copyElsewhere(connected.has(deviceID), await daemon.completion(id, deviceID))
      return [name, copy] as const
    })
    const here = copyHere(status, errorText(errors))
    return { label, path, sequence: status.sequence, here, others: new Map(await Promise.all(others)) }
  })
  return {
    folders: await Promise.all(copies),
    connected: new Map(devices.map(({ deviceID, name }) => [name, connected.has(deviceID)])),
  }
}
