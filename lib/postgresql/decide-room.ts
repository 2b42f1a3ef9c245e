import { bytes } from '../core/text.ts'

/** What a copy of a database consists of. */
export interface CopySource {
  /** The primary. */
  node: string
  /** Of its data directory, without the WAL. */
  bytes: number
  tablespaces: readonly { name: string; location: string; bytes: number }[]
}

/** A directory of this machine that a copy would be written to. */
export interface CopyPlace {
  path: string
  /**
   * `missing`: there is no such directory; `foreign`: it is not postgres's; `used`: another cluster has data there; `inside`: it is in
   * the data directory.
   */
  state: 'ready' | 'missing' | 'foreign' | 'used' | 'inside'
  /** Its file system. */
  device: number
  freeBytes: number
}

/** What stays free for WAL that is written during the copy, and for whatever else is on that disk. */
export const RESERVE_BYTES = 64 * 1024 * 1024
/** A database grows while it is copied. */
const GROWTH = 1.05

/** Why a copy cannot be made: one sentence. */
export interface CopyRefusal {
  lacks: 'directory' | 'room'
  why: string
}

/**
 * Whether a copy of the primary can be made on this machine: null, or why not.
 * @param data the directory beside which the copy of the data directory is made.
 * @param places those of the tablespaces, in their order.
 */
export function refuseCopy(
  source: CopySource,
  data: CopyPlace,
  places: readonly CopyPlace[],
): CopyRefusal | null {
  const { node, tablespaces } = source
  for (const [index, { name, location }] of tablespaces.entries()) {
    const place = places[index]
    const refuse = (why: string): CopyRefusal => ({
      lacks: 'directory',
      why: `${node} has the tablespace ${name} in ${location}${why}`,
    })
    if (place?.state === 'inside')
      return refuse(
        ', which is inside the data directory and cannot be copied; move what it holds to another tablespace, and drop it',
      )
    if (place === undefined || place.state === 'missing')
      return refuse(
        `, and this machine has no such directory; mount its disk, or create it (install -d -o postgres -g postgres -m 700 ${location})`,
      )
    if (place.state === 'foreign')
      return refuse(
        `, which does not belong to postgres on this machine; correct that (chown postgres:postgres ${location})`,
      )
    if (place.state === 'used')
      return refuse(`, where another PostgreSQL of this machine has data; move that away`)
  }
  return refuseRoom(node, [
    { place: data, bytes: source.bytes },
    ...tablespaces.flatMap((tablespace, index) => {
      const place = places[index]
      return place ? [{ place, bytes: tablespace.bytes }] : []
    }),
  ])
}

function refuseRoom(node: string, parts: readonly { place: CopyPlace; bytes: number }[]): CopyRefusal | null {
  const needed = new Map<number, { place: CopyPlace; bytes: number }>()
  for (const part of parts) {
    const before = needed.get(part.place.device)
    needed.set(part.place.device, {
      place: before?.place ?? part.place,
      bytes: (before?.bytes ?? 0) + part.bytes,
    })
  }
  for (const { place, bytes: size } of needed.values()) {
    const needs = Math.ceil(size * GROWTH) + RESERVE_BYTES
    if (needs > place.freeBytes)
      return {
        lacks: 'room',
        why: `a copy of ${node} needs ${bytes(needs)} on the disk of ${place.path}, where ${bytes(place.freeBytes)} are free; make room there`,
      }
  }
  return null
}
