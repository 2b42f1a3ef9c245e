import { bytes as inBytes } from '../core/text.ts'
import type { Completion, FolderStatus } from './api.ts'

/** What one machine has of a folder. */
export interface Copy {
  state: 'in-sync' | 'behind' | 'disconnected' | 'not-shared' | 'failing' | 'stopped'
  /** What it lacks, as far as it has announced that; deletes count as files. */
  files: number
  bytes: number
  /** Why it is stopped, something cannot be read or written, or changes are not watched. */
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

/** The copy of this machine, from what Syncthing says of the folder. */
export function copyHere(status: FolderStatus, firstError: string | null): Copy {
  const { needTotalItems: files, needBytes: bytes, error, watchError } = status
  if (error !== '') return { state: 'stopped', files, bytes, why: error }
  if (firstError !== null) return { state: 'failing', files, bytes, why: firstError }
  const why = watchError === '' ? {} : { why: `changes are not watched: ${watchError}` }
  return { state: files === 0 ? 'in-sync' : 'behind', files, bytes, ...why }
}

/** The copy of another machine, from what it has announced to our Syncthing. */
export function copyElsewhere(connected: boolean, completion: Completion): Copy {
  const { needItems, needDeletes, needBytes: bytes, globalItems, sequence, remoteState } = completion
  const files = needItems + needDeletes
  if (!connected) return { state: 'disconnected', files, bytes }
  // Before 1.20, a device that does not share the folder seems to have everything; but it has announced nothing.
  const shares = remoteState === undefined ? sequence > 0 || globalItems === 0 : remoteState === 'valid'
  if (!shares) return { state: 'not-shared', files, bytes }
  return { state: files === 0 ? 'in-sync' : 'behind', files, bytes }
}

/** What a machine has of a folder, in a few words. */
export function copyText(copy: Pick<Copy, 'state' | 'files' | 'bytes'>): string {
  const { state, files } = copy
  if (state === 'in-sync') return 'in sync'
  if (state === 'behind') return `behind ${lackText(copy)}`
  const name = state === 'not-shared' ? 'not shared' : state
  return files === 0 ? name : `${name}, behind ${lackText(copy)}`
}

/** How much a machine lacks of a folder: 3 files (1.5 MiB). */
export const lackText = ({ files, bytes: size }: Pick<Copy, 'files' | 'bytes'>): string =>
  `${files} ${files === 1 ? 'file' : 'files'} (${inBytes(size)})`
