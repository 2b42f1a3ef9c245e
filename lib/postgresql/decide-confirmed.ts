import type { CommitRule } from './decide-durability.ts'
import { isOlder, type Position } from './decide-lineage.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import type { Confirmed } from './manifest.ts'

export interface ConfirmedFacts {
  node: string
  /** The timeline that this primary writes. */
  timeline: number
  /** The rule in effect. */
  commit: CommitRule
  /** What the members' standbys have replayed. Such a position is the end of a record; what is received may end inside one. */
  replayed: readonly { name: string; lsn: bigint }[]
  /** Where the latest checkpoint of this primary begins: it is on this machine's disk. */
  checkpoint: bigint
  recorded: Confirmed | null
}

export type ConfirmedPlan =
  | { do: 'nothing'; why: string }
  | { do: 'record'; why: string; confirmed: Confirmed }

/** A document's position. */
export const positionOf = ({ timeline, lsn }: Confirmed): Position => ({ timeline, lsn: parseLsn(lsn) })

/**
 * How far commits are confirmed: as many standbys have it as commits wait for, so that every permitted election sees one of them.
 * Where commits do not wait, only the primary is known to have it. Never backwards: what was confirmed stays so.
 */
export function decideConfirmed(facts: ConfirmedFacts): ConfirmedPlan {
  const { node, timeline, commit, replayed, checkpoint, recorded } = facts
  const lsn =
    commit.count === 0
      ? checkpoint
      : replayed
          .filter(({ name }) => commit.standbys.includes(name))
          .map((standby) => standby.lsn)
          .sort((one, other) => (one < other ? 1 : -1))[commit.count - 1]
  if (lsn === undefined) return { do: 'nothing', why: 'too few of the standbys that count stream' }
  if (recorded !== null && !isOlder(positionOf(recorded), { timeline, lsn }))
    return { do: 'nothing', why: 'it is recorded already' }
  return {
    do: 'record',
    why: `${commit.count || 'no'} standbys have it`,
    confirmed: { schema: 1, node, timeline, lsn: formatLsn(lsn), standbys: commit.count },
  }
}
