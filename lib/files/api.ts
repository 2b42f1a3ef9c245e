/** Objects of Syncthing's REST API (https://docs.syncthing.net/dev/rest.html), as far as they are used. */

export interface Device {
  deviceID: string
  name: string
}

export interface SharedFolder {
  id: string
  label: string
  path: string
  devices: Device[]
}

/** What a folder lacks on this machine, and whether it is looked after at all. */
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

/** What a device lacks of a folder, from what it has told us. */
export interface Completion {
  needItems: number
  needDeletes: number
  needBytes: number
  /** How many files there are, and how many changes of its own the device has told us. */
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
}
