import { existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemUser } from '../core/users.ts'
import type { Connection } from './client.ts'
import { whyNotReplaced } from './decide-directory.ts'
import { type CopyPlace, type CopyRefusal, type CopySource, refuseCopy } from './decide-room.ts'
import { postgresqlPaths } from './manifest.ts'
import { lookAtPlace } from './place.ts'
import { deviceOf, isInUse, locationsOf } from './tablespaces.ts'

/** How long a primary may add up the sizes of its files, of which there may be millions. */
export const SIZES_MS = 300_000

/** How big a primary is, and where its tablespaces lie. It takes a superuser, or a member of pg_monitor. */
export async function readCopySource(connection: Connection, node: string): Promise<CopySource> {
  const rows = await connection.query<{ name: string; location: string; bytes: string }>(
    // A relative place is inside the data directory (allow_in_place_tablespaces).
    `select spcname::text as name, pg_tablespace_location(oid) as location, pg_tablespace_size(oid)::text as bytes
     from pg_tablespace order by oid`,
  )
  const sized = rows.map(({ bytes, ...row }) => ({ ...row, bytes: Number(bytes ?? 0) }))
  const isOutside = ({ location }: { location: string }): boolean => location.startsWith('/')
  return {
    node,
    bytes: sized.filter((row) => !isOutside(row)).reduce((sum, row) => sum + row.bytes, 0),
    tablespaces: sized.filter(isOutside),
  }
}

/** Whether a copy of the primary can be made here: null, or why not. */
export async function whyNotCopy(version: number, source: CopySource): Promise<CopyRefusal | null> {
  const { uid } = await systemUser('postgres')
  const data = postgresqlPaths.data(version)
  const fixed = whyNotReplaced(lookAtPlace(data))
  if (fixed !== null) return { lacks: 'directory', why: fixed }
  const own = [data, postgresqlPaths.incoming(version), postgresqlPaths.outgoing(version)].flatMap(
    locationsOf,
  )
  const placeAt = (path: string): CopyPlace => {
    if (path.startsWith(`${data}/`)) return { path, state: 'inside', device: 0, freeBytes: 0 }
    if (!existsSync(path)) return { path, state: 'missing', device: 0, freeBytes: 0 }
    const found = statSync(path)
    const used = !own.includes(path) && isInUse(path, version)
    const mine = found.isDirectory() && found.uid === uid
    return {
      path,
      state: mine ? (used ? 'used' : 'ready') : 'foreign',
      device: deviceOf(path),
      freeBytes: freeBytes(path),
    }
  }
  return refuseCopy(
    source,
    placeAt(dirname(data)),
    source.tablespaces.map(({ location }) => placeAt(location)),
  )
}

/** What whoever is not root may still write to the disk of a directory. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}
