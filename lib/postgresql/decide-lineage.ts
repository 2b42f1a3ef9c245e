import { parseLsn } from './lsn.ts'

/** Where a database is: the end of what it has, on the timeline it is on. */
export interface Position {
  timeline: number
  lsn: bigint
}

/** What a primary says about the WAL it has. */
export interface Offer {
  timeline: number
  /** Text of its timeline's history file; empty on timeline 1. */
  history: string
  /** The oldest position whose WAL it still has. */
  oldest: bigint
}

/**
 * `follows`: the standby can stream from the primary. `diverged`: it has WAL that the primary does not have, and must be rewound.
 * `behind`: the primary no longer has the WAL that the standby needs next, so that only a clone helps.
 */
export type Lineage = 'follows' | 'diverged' | 'behind'

/** Can a standby at this position continue with this primary? */
export function lineageOf(own: Position, offer: Offer): Lineage {
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
