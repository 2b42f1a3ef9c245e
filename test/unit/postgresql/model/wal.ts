import { type Lineage, lineageOf } from '../../../../lib/postgresql/decide-lineage.ts'

/** A record of the write-ahead log: a commit, or the first record of a timeline. */
interface WalRecord {
  readonly id: number
  readonly timeline: number
  /** The machine whose client waits for it; null where nobody does. */
  readonly by: string | null
}

/** What a database has on disk. Its position is its length. */
export type Wal = readonly WalRecord[]

export const timelineOf = (wal: Wal): number => wal.at(-1)?.timeline ?? 0

/** Is all of this in the other, in the same order? */
export const isBeginning = (one: Wal, other: Wal): boolean =>
  one.length <= other.length && one.every(({ id }, index) => other[index]?.id === id)

/** As much of the one as the other has as well. */
function common(one: Wal, other: Wal): Wal {
  const fork = one.findIndex(({ id }, index) => other[index]?.id !== id)
  return fork < 0 ? one : one.slice(0, fork)
}

/** What pg_rewind makes of it. It compares the numbers of the timelines first, and leaves all as it is where they are the same. */
export const rewound = (one: Wal, other: Wal): Wal =>
  timelineOf(one) === timelineOf(other) ? one : common(one, other)

/** What a standby hears from a primary that has removed nothing. */
export function lineage(own: Wal, primary: Wal): Lineage {
  const history = primary.flatMap(({ timeline }, index) => {
    const before = primary[index - 1]?.timeline
    return before === undefined || before === timeline ? [] : [`${before}\t0/${index.toString(16)}\ta test\n`]
  })
  const end = BigInt(primary.length)
  const offer = { timeline: timelineOf(primary), history: history.join(''), oldest: 0n, end }
  const lsn = BigInt(own.length)
  return lineageOf({ timeline: timelineOf(own), lsn }, lsn, offer)
}
