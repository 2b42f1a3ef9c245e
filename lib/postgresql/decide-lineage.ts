import { parseLsn } from './lsn.ts'

/** Where a database is: the end of what it has, on the timeline it is on. */
export interface Position {
  timeline: number
  lsn: bigint
}

/** Does a database at the first position lack WAL up to the second? A later timeline is never older: it was published later. */
export const isOlder = (one: Position, than: Position): boolean =>
  one.timeline < than.timeline || (one.timeline === than.timeline && one.lsn < than.lsn)

/** What a primary says about the WAL it has. */
export interface Offer {
  timeline: number
  /** Text of its timeline's history file; empty on timeline 1. */
  history: string
  /** The oldest position whose WAL it still has. */
  oldest: bigint
  /** Up to where it has written WAL to disk. */
  end: bigint
}

/**
 * `follows`: the standby can stream from the primary. `diverged`: it has WAL that the primary does not have, and must be rewound.
 * `ahead`: the same on the primary's own timeline, where pg_rewind sees no difference, so that only a clone helps.
 * `behind`: the primary no longer has the WAL that the standby needs next, so that only a clone helps.
 */
export type Lineage = 'follows' | 'diverged' | 'ahead' | 'behind'

/**
 * Can a standby continue with this primary?
 * @param replayed what it has replayed. What it has received may end inside a record that a primary which has crashed writes anew:
 * that is no difference. A record that it has replayed was whole on the primary's disk before.
 */
export function lineageOf(own: Position, replayed: bigint, offer: Offer): Lineage {
  if (own.timeline === offer.timeline && replayed > offer.end) return 'ahead'
  if (own.timeline !== offer.timeline) {
    const fork = parseHistory(offer.history).get(own.timeline)
    if (fork === undefined || own.lsn > fork) return 'diverged'
  }
  return own.lsn < offer.oldest ? 'behind' : 'follows'
}

/**
 * A timeline's history file: each former timeline and the position where it was left, "1\t0/5000060\tno recovery target
 * specified". See src/backend/access/transam/timeline.c in PostgreSQL.
 */
export function parseHistory(text: string): Map<number, bigint> {
  const lines = text.split('\n').flatMap((line) => {
    const [, timeline, lsn] = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line) ?? []
    return timeline && lsn ? [[Number(timeline), parseLsn(lsn)] as const] : []
  })
  return new Map(lines)
}
