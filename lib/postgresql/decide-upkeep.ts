import type { DurabilityMode } from '../consul/manifest.ts'
import {
  type CommitRule,
  cannotBeMet,
  type DurabilityPlan,
  decideDurability,
  type ElectionRule,
} from './decide-durability.ts'

/** How long a run waits for standbys that are catching up; if none streams, it waits until the primary may go on alone. */
export const UPKEEP_MS = 20_000
/** How long no standby may have streamed before the primary goes on alone: longer than a standby needs to reconnect. */
export const ALONE_AFTER_MS = 10_000
/** How often a run looks again while standbys catch up: often enough that clients of a new primary hardly notice. */
const LOOK_AGAIN_MS = 250
/** How long a run waits after PostgreSQL was late: every attempt may hold clients for a second. */
const TRY_AGAIN_MS = 5000

/** What Consul says while this machine holds the lock. */
export interface UnderLock {
  members: readonly { node: string; healthy: boolean }[]
  mode: DurabilityMode
  election: ElectionRule
  /** What is published says that commits wait for the voters. */
  saysWaits: boolean
}

export interface UpkeepFacts {
  node: string
  /** null if this machine does not hold the lock, or Consul does not answer. */
  underLock: UnderLock | null
  /** The rule that is set. */
  commit: CommitRule
  /** The configuration file holds another rule, which the next reload would bring into effect. */
  fileDiffers: boolean
  /** Members whose standbys stream from this primary. */
  streaming: readonly string[]
  /** Those of them that have caught up: everything is on disk there that was written before the commit rule was read. */
  level: readonly string[]
  /** How long this run has seen no standby stream. */
  withoutStandbyMs: number
  /** This run has seen the commit rule in effect in all of PostgreSQL's processes. */
  proven: boolean
  /**
   * What has become of the last change, unless it was made: Consul has refused it, as something has changed meanwhile, or PostgreSQL was
   * too late to take it over.
   */
  failed: 'refused' | 'late' | null
  elapsedMs: number
}

/** A change of the election rule or of the commit rule. */
export type UpkeepChange = Extract<DurabilityPlan, { do: 'elect' | 'commit' }>

export type UpkeepPlan =
  | UpkeepChange
  /** Write the rule in effect to the configuration file again. Changes nothing, so it needs no consent of Consul. */
  | { do: 'restore'; why: string; commit: CommitRule }
  /** The run is over: there is nothing left to do (`complete`) or no more time, or this machine has lost the lock. */
  | { do: 'done'; why: string; complete: boolean }
  | { do: 'lost'; why: string }
  | { do: 'wait'; why: string; afterMs: number }

/** The next step of the upkeep, until every healthy member has caught up and counts. */
export function decideUpkeep(facts: UpkeepFacts): UpkeepPlan {
  const { node, underLock, commit, streaming, level, proven, failed, elapsedMs } = facts
  if (underLock === null)
    return { do: 'lost', why: 'this machine does not hold the lock, or Consul does not answer' }
  // Before anything is decided from the rule in effect: a reload or a restart would bring the other one into effect.
  if (facts.fileDiffers && !cannotBeMet(commit))
    return {
      do: 'restore',
      why: 'the configuration file has a different rule from the one in effect',
      commit,
    }
  const alone = facts.withoutStandbyMs > ALONE_AFTER_MS
  const { members, mode, election, saysWaits } = underLock
  const rules = decideDurability({
    ...{ node, members: members.map((member) => member.node), mode },
    ...{ commit, election, streaming, level, alone, proven },
  })
  const durability = rules.do === 'nothing' && !saysWaits ? (sayWaits(facts, election) ?? rules) : rules
  if (durability.do !== 'nothing' && failed === null) return durability
  const starved = commit.count > 0 && streaming.length === 0
  const complete = members.every(
    (member) => member.node === node || !member.healthy || level.includes(member.node),
  )
  if ((!starved || alone) && complete && failed !== 'late')
    return { do: 'done', why: durability.why, complete: true }
  if (elapsedMs > UPKEEP_MS && (alone || !starved))
    return { do: 'done', why: whyIncomplete(complete), complete: false }
  return { do: 'wait', why: durability.why, afterMs: failed === 'late' ? TRY_AGAIN_MS : LOOK_AGAIN_MS }
}

/** Why the run ends before all is done. @param caughtUp the standbys are not what is missing: PostgreSQL is. */
const whyIncomplete = (caughtUp: boolean): string =>
  `${caughtUp ? 'PostgreSQL did not take over the new rule' : 'the standbys did not catch up'} within ${UPKEEP_MS / 1000} s; the next run goes on`

/** What a primary of an older release has published does not say that commits wait. It is said only when it was seen. */
function sayWaits({ commit, proven }: UpkeepFacts, election: ElectionRule): UpkeepChange | null {
  if (commit.count === 0 || election.voters.length === 0) return null
  const why = 'commits wait for standbys, but Consul does not say so yet'
  return proven ? { do: 'elect', why, election } : { do: 'commit', why, commit }
}
