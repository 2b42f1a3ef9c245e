/** Objects of Syncthing's REST API (https://docs.syncthing.net/dev/rest.html), as far as they are used. */

export interface SyncthingDevice {
  deviceID: string
  name: string
}

export interface SharedFolder {
  id: string
  label: string
  path: string
  /** It stands still: nothing is scanned, sent or received. */
  paused: boolean
  devices: SyncthingDevice[]
}

/** The state of a folder on this machine, and what it lacks. */
export interface FolderStatus {
  /** `idle`, `scanning`, `syncing`, `error`, ... */
  state: string
  error: string
  /** Files that could not be read or written. */
  pullErrors: number
  needTotalItems: number
  needBytes: number
  /** Grows with every change of what this machine has. */
  sequence: number
  watchError: string
}

/** What a device lacks of a folder, by what it has announced. */
export interface Completion {
  needItems: number
  needDeletes: number
  needBytes: number
  /** How many files there are, and how many changes of its own the device has announced. */
  globalItems: number
  sequence: number
  /** Since 1.20: `valid`, `paused`, `notSharing`, `unknown`; anything but the first: it does not share the folder now. */
  remoteState?: string
}

/** A file that a device lacks. */
export interface NeededFile {
  name: string
  size: number
  deleted: boolean
}

export interface FileInfo {
  deleted: boolean
  ignored: boolean
  invalid: boolean
  /** The folder's sequence number on this machine when the file was last changed; 0 where this machine never had it. */
  sequence: number
}

/** A file or directory in the tree of a folder. */
export interface TreeEntry {
  name: string
  children?: TreeEntry[]
}
