import type { CommitRule, DurabilityPlan } from '../../../../lib/postgresql/decide-durability.ts'

/** Where a run of the upkeep stands: between any two of these everything else may happen. */
export type Upkeep =
  | { at: 'start' }
  /** It has read the commit rule and then how much was written by then. */
  | { at: 'marked'; commit: CommitRule; written: number }
  /** It has decided on the lock's session and the document's index. */
  | {
      /** What commits wait for is changed in three parts: Consul is asked once more, commits are held, the new rule is set. */
      at: 'decided' | 'touched' | 'held'
      plan: DurabilityPlan
      session: number
      index: number
      /** The rule before commits were held. */
      former: CommitRule
    }

/** A machine of the model: its PostgreSQL, and its run of the upkeep. */
export interface Member {
  readonly node: string
  up: boolean
  /** Consul cannot be reached from here; the standbys can. */
  cut: boolean
  /** Runs as a primary when it is up, rightly or not. */
  primary: boolean
  /** What is on disk, as the numbers of commits: what a standby has is a beginning of what its primary has. */
  wal: number[]
  /** What is set, also over a restart, as by ALTER SYSTEM. */
  commit: CommitRule
  /** Do commits wait at all? The checkpointer says so, which takes over only later what is set. */
  waits: boolean
  /** By which rule the WAL sender of a standby lets commits go: it takes over later, too. */
  senders: Map<string, CommitRule>
  /** The rule that a run of the upkeep has seen in effect. */
  proven: CommitRule | null
  /** Where a standby is pointed at, and whether it is connected. */
  upstream: string | null
  linked: boolean
  /** Takes nothing from any primary until there is one again. */
  receiverStopped: boolean
  /** The session of the lock under which it was promoted. */
  promoted: number | null
  /** As a primary it once had rules that are safe together: from then on it always has, while there are enough members. */
  safe: boolean
  /** Its commits waited when it was last looked at. */
  waited: boolean
  upkeep: Upkeep
}

export const newMember = (node: string, primary: string): Member => ({
  node,
  up: true,
  cut: false,
  primary: node === primary,
  wal: [],
  commit: { standbys: [], count: 0 },
  waits: false,
  senders: new Map(),
  proven: null,
  upstream: node === primary ? null : primary,
  linked: node !== primary,
  receiverStopped: false,
  promoted: null,
  safe: false,
  waited: false,
  upkeep: { at: 'start' },
})

/** Is all of this WAL in the other, in the same order? */
export const isBeginning = (one: readonly number[], other: readonly number[]): boolean =>
  one.length <= other.length && one.every((commit, index) => other[index] === commit)

/** As much of the one as a rewind to the other keeps. */
export function common(one: readonly number[], other: readonly number[]): number[] {
  const fork = one.findIndex((commit, index) => other[index] !== commit)
  return fork < 0 ? [...one] : one.slice(0, fork)
}
