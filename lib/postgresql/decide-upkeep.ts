import type { DurabilityMode } from '../consul/manifest.ts'
import {
  type CommitRule,
  type DurabilityPlan,
  decideDurability,
  type ElectionRule,
} from './decide-durability.ts'

/** How long a run looks after standbys that are on their way; one that has none, until it may go on alone. */
export const UPKEEP_MS = 20_000
/** How long no standby must have streamed before the primary may go on alone. */
export const ALONE_AFTER_MS = 10_000
const LOOK_AGAIN_MS = 250

/** What Consul says while this machine holds the lock. */
export interface Mandate {
  members: readonly { node: string; healthy: boolean }[]
  mode: DurabilityMode
  election: ElectionRule
}

export interface UpkeepFacts {
  node: string
  /** null where the lock is not ours, or Consul does not say. */
  mandate: Mandate | null
  /** The rule in effect. */
  commit: CommitRule
  /** The configuration file says something else, which would come into effect unasked at any reload. */
  fileDiffers: boolean
  /** Members whose standby streams from here. */
  streaming: readonly string[]
  /** Those of them that have on disk all that was written before the commit rule was read. */
  level: readonly string[]
  /** How long this run has seen no standby stream. */
  withoutStandbyMs: number
  /** The last change was refused: Consul or PostgreSQL has changed meanwhile. */
  refused: boolean
  elapsedMs: number
}

/** A change of who may be promoted, or of what a commit waits for. */
export type UpkeepChange = Extract<DurabilityPlan, { do: 'elect' | 'commit' }>

export type UpkeepPlan =
  | UpkeepChange
  /** The run is over: everything is looked after, or the lock is no longer ours. */
  | { do: 'kept'; why: string }
  | { do: 'lost'; why: string }
  | { do: 'wait'; why: string; afterMs: number }

/** The next step of a primary that looks after its standbys, until every healthy member counts. */
export function decideUpkeep(facts: UpkeepFacts): UpkeepPlan {
  const { node, mandate, commit, streaming, level, elapsedMs } = facts
  if (mandate === null) return { do: 'lost', why: 'the lock is not ours, or Consul does not say' }
  const alone = facts.withoutStandbyMs > ALONE_AFTER_MS
  const { members, mode, election } = mandate
  const durability = decideDurability({
    ...{ node, members: members.map((member) => member.node), mode },
    ...{ commit, election, streaming, level, alone },
  })
  if (!facts.refused) {
    if (durability.do !== 'nothing') return durability
    if (facts.fileDiffers)
      return { do: 'commit', why: 'the configuration file holds another rule than is in effect', commit }
  }
  const starved = commit.count > 0 && streaming.length === 0
  const complete = members.every(
    (member) => member.node === node || !member.healthy || level.includes(member.node),
  )
  if ((!starved || alone) && complete) return { do: 'kept', why: durability.why }
  if (elapsedMs > UPKEEP_MS && (alone || !starved)) return { do: 'kept', why: `after ${UPKEEP_MS} ms` }
  return { do: 'wait', why: durability.why, afterMs: LOOK_AGAIN_MS }
}
