import type { CommitRule } from './decide-durability.ts'
import { isOlder, type Position } from './decide-lineage.ts'
import type { Stream } from './decide-streams.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import type { Confirmed } from './manifest.ts'

export interface ConfirmedFacts {
  node: string
  /** The timeline that this primary writes. */
  timeline: number
  /** The rule in effect. */
  commit: CommitRule
  /** The members' standbys. What one has replayed is the end of a record; what it has received may end inside one. */
  streams: readonly Pick<Stream, 'name' | 'replayed'>[]
  /** Where the latest checkpoint of this primary begins: it is on this machine's disk. */
  checkpoint: bigint
  recorded: Confirmed | null
}

export type ConfirmedPlan =
  /** `reached`: what is recorded is confirmed by the present rule as well, so that from now on the position only grows. */
  { do: 'nothing'; why: string; reached: boolean } | { do: 'record'; why: string; confirmed: Confirmed }

/** A document's position. */
export const positionOf = ({ timeline, lsn }: Confirmed): Position => ({ timeline, lsn: parseLsn(lsn) })

/**
 * How far commits are confirmed: as many standbys have it as commits wait for, so that every permitted election sees one of them.
 * Where commits do not wait, only the primary is known to have it. Never backwards: what was confirmed stays so.
 */
export function decideConfirmed(facts: ConfirmedFacts): ConfirmedPlan {
  const { node, timeline, commit, streams, checkpoint, recorded } = facts
  const lsn =
    commit.count === 0
      ? checkpoint
      : streams
          .filter(({ name }) => commit.standbys.includes(name))
          .map(({ replayed }) => replayed ?? 0n)
          .sort((one, other) => (one < other ? 1 : -1))[commit.count - 1]
  if (lsn === undefined)
    return { do: 'nothing', why: 'too few of the standbys that count stream', reached: false }
  if (recorded !== null && !isOlder(positionOf(recorded), { timeline, lsn })) {
    const reached = !isOlder({ timeline, lsn }, positionOf(recorded))
    return { do: 'nothing', why: 'it is recorded already', reached }
  }
  return {
    do: 'record',
    why: `${commit.count || 'no'} standbys have it`,
    confirmed: { schema: 1, node, timeline, lsn: formatLsn(lsn), standbys: commit.count },
  }
}
