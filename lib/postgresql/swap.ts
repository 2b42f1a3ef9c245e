import { existsSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncToDisk } from '../core/atomic-files.ts'
import {
  locationsOf,
  moveAside,
  moveIn,
  pointAtPlaces,
  removeIncoming,
  removeOutgoing,
} from './tablespaces.ts'

/** All in one directory. */
export interface Directories {
  /** What PostgreSQL starts from. */
  current: string
  /** A complete copy. */
  incoming: string
  /** What the copy replaces. */
  outgoing: string
}

/**
 * Puts a complete copy, with its tablespaces, in the place of the current directory, which becomes the outgoing one. Until the last
 * rename there is no current directory, so that nothing starts from a half of each: a power cut at any point leaves one that is whole
 * or none, and then the old one is still there under another name.
 */
export function swap({ current, incoming, outgoing }: Directories, version: number): void {
  const places = locationsOf(incoming)
  pointAtPlaces(incoming)
  if (existsSync(current)) {
    for (const place of places) removeOutgoing(place)
    removeReplaced({ current, outgoing })
    renameSync(current, outgoing)
    syncToDisk(dirname(current))
  }
  for (const place of new Set([...places, ...locationsOf(outgoing)])) moveAside(place, version)
  for (const place of places) moveIn(place)
  renameSync(incoming, current)
  syncToDisk(dirname(current))
  for (const place of places) removeIncoming(place)
}

/** Removes what the last copy replaced, with its tablespaces, unless there is nothing in its place yet. */
export function removeReplaced({ current, outgoing }: Pick<Directories, 'current' | 'outgoing'>): void {
  if (!existsSync(current)) return
  for (const place of [...locationsOf(outgoing), ...locationsOf(current)]) removeOutgoing(place)
  rmSync(outgoing, { recursive: true, force: true })
}
