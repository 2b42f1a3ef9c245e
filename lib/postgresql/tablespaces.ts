import {
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { syncToDisk } from '../core/atomic-files.ts'

/** Where a copy puts a tablespace of the primary until it is complete. */
export interface TablespaceMapping {
  from: string
  to: string
}

/** Inside the directory of the tablespace: it may be a disk of its own, and postgres may not write beside it. */
const INCOMING = 'understudy.incoming'
/** What a copy replaced. */
const OUTGOING = 'understudy.outgoing'

export const incomingOf = (location: string): string => join(location, INCOMING)
const outgoingOf = (location: string): string => join(location, OUTGOING)

/** The part of a tablespace's directory that belongs to clusters of this major version, see src/common/relpath.c in PostgreSQL. */
const ownParts = (location: string, version: number): string[] =>
  existsSync(location) ? readdirSync(location).filter((entry) => entry.startsWith(`PG_${version}_`)) : []

/** Where the tablespaces of a data directory lie, or, of a copy that is not in its place yet, will lie. */
export function locationsOf(directory: string): string[] {
  const links = join(directory, 'pg_tblspc')
  if (!existsSync(links)) return []
  const targets = readdirSync(links)
    .map((entry) => join(links, entry))
    .filter((path) => lstatSync(path).isSymbolicLink())
    .map((path) => readlinkSync(path))
  return [...new Set(targets.map((target) => target.replace(new RegExp(`/${INCOMING}/*$`), '')))]
}

/** Is there something of a cluster of this version that no unfinished copy of ours has left? */
export const isInUse = (location: string, version: number): boolean =>
  ownParts(location, version).length > 0 &&
  !existsSync(incomingOf(location)) &&
  !existsSync(outgoingOf(location))

/** Makes a complete copy point at the places that its tablespaces will have. */
export function pointAtPlaces(directory: string): void {
  const links = join(directory, 'pg_tblspc')
  for (const entry of readdirSync(links)) {
    const link = join(links, entry)
    if (!lstatSync(link).isSymbolicLink()) continue
    const target = readlinkSync(link)
    if (!target.endsWith(`/${INCOMING}`)) continue
    unlinkSync(link)
    symlinkSync(target.slice(0, -INCOMING.length - 1), link)
  }
  syncToDisk(links)
}

/**
 * Moves what a data directory has in this place aside. What was moved aside before is the older data: then what lies there now is a
 * copy whose swap was interrupted.
 */
export function moveAside(location: string, version: number): void {
  for (const part of ownParts(location, version)) {
    if (existsSync(outgoingOf(location))) rmSync(join(location, part), { recursive: true })
    else renameSync(join(location, part), outgoingOf(location))
  }
}

/** Puts the copy of a tablespace in its place. */
export function moveIn(location: string): void {
  const incoming = incomingOf(location)
  if (!existsSync(incoming)) return
  for (const part of readdirSync(incoming)) renameSync(join(incoming, part), join(location, part))
  syncToDisk(location)
}

export function removeIncoming(location: string): void {
  if (existsSync(incomingOf(location))) rmdirSync(incomingOf(location))
}

export const removeOutgoing = (location: string): void =>
  rmSync(outgoingOf(location), { recursive: true, force: true })

/** The number of the file system that a directory is on. */
export const deviceOf = (directory: string): number => statSync(directory).dev
