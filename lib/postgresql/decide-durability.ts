import type { DurabilityMode } from '../consul/manifest.ts'

/** From how many members on commits wait in mode `quorum`: with two, losing either would stop the writes. */
const QUORUM_FROM = 3

/** The commit rule: a commit waits until any `count` of these standbys have it on disk. With none it does not wait. */
export interface CommitRule {
  standbys: readonly string[]
  count: number
}

/** The election rule: who may be promoted, and how many of the voters must be seen for it (the document `postgresql/sync`). */
export interface ElectionRule {
  voters: readonly string[]
  need: number
}

export const NO_WAIT: CommitRule = { standbys: [], count: 0 }
/** Every commit waits, and nobody can end that: in effect for some milliseconds while the rule changes. */
export const HOLD: CommitRule = { standbys: [], count: 1 }
/** Nobody but the primary itself. */
export const NOBODY: ElectionRule = { voters: [], need: 1 }

export interface DurabilityFacts {
  node: string
  /** Names of all members. */
  members: readonly string[]
  mode: DurabilityMode
  commit: CommitRule
  election: ElectionRule
  /** Members whose standbys stream from this primary. */
  streaming: readonly string[]
  /** Those of them that have caught up: everything is on disk there that was written before the commit rule was read. */
  level: readonly string[]
  /** No standby has streamed for so long that the primary may go on alone. */
  alone: boolean
  /** This run has seen the commit rule in effect in all of PostgreSQL's processes; that the setting says so proves nothing. */
  proven: boolean
}

export type DurabilityPlan =
  | { do: 'nothing'; why: string }
  | { do: 'commit'; why: string; commit: CommitRule }
  | { do: 'elect'; why: string; election: ElectionRule }

/**
 * The invariant: each set of standbys that PostgreSQL accepts for a commit meets each set that may elect. Any `count` of the
 * standbys and any `need` of the voters do so exactly if together they are more than there are of both.
 */
export function isSafe(commit: CommitRule, election: ElectionRule): boolean {
  if (election.voters.length === 0 || cannotBeMet(commit)) return true
  return commit.count + election.need > union(commit.standbys, election.voters).length
}

/** Nothing is acknowledged under such a rule. */
export const cannotBeMet = ({ standbys, count }: CommitRule): boolean => count > standbys.length

/** A commit waits for the larger half of the standbys, so that a majority of the machines has it. */
export function commitRule(standbys: readonly string[]): CommitRule {
  return { standbys: [...standbys].sort(), count: Math.floor((standbys.length + 1) / 2) }
}

const electionRule = ({ standbys, count }: CommitRule): ElectionRule =>
  standbys.length === 0 ? NOBODY : { voters: standbys, need: standbys.length - count + 1 }

/** Do commits wait in a cluster of this size? */
export function isSynchronous(mode: DurabilityMode, members: number): boolean {
  return (mode === 'quorum' && members >= QUORUM_FROM) || (mode === 'strict' && members >= 2)
}

/**
 * The next single step of a primary that holds the lock, called again until it says `nothing`. Each step keeps the invariant, so
 * that a crash after any of them loses nothing. Compare Patroni's quorum commit,
 * https://patroni.readthedocs.io/en/latest/replication_modes.html#quorum-commit-mode.
 */
export function decideDurability(facts: DurabilityFacts): DurabilityPlan {
  const plan = decideRules(facts)
  // Voters are safe beside a rule that is in effect, which one that is only set is not.
  if (plan.do !== 'elect' || plan.election.voters.length === 0 || facts.commit.count === 0 || facts.proven)
    return plan
  return { do: 'commit', why: 'it is not proven that commits wait', commit: facts.commit }
}

function decideRules(facts: DurabilityFacts): DurabilityPlan {
  const { node, members, mode, commit, election } = facts
  const others = members.filter((member) => member !== node).sort()
  if (!isSynchronous(mode, members.length)) {
    const why =
      mode === 'async'
        ? 'commits do not wait (async)'
        : `commits do not wait in a cluster of ${members.length}`
    // What was acknowledged while there were more members stays a promise: a new voter has to have caught up.
    const voters =
      mode === 'async'
        ? others
        : others.filter((name) => facts.level.includes(name) || election.voters.includes(name))
    return relax(facts, { voters, need: 1 }, why)
  }

  // A standby that counts stays while it streams, however busy it is; a new one has to catch up first.
  const counted = cannotBeMet(commit)
    ? election.voters
    : commit.standbys.filter((name) => election.voters.includes(name))
  const standbys = others.filter(
    (name) => facts.level.includes(name) || (counted.includes(name) && facts.streaming.includes(name)),
  )
  if (standbys.length > 0) {
    const wanted = commitRule(standbys)
    return approach(
      facts,
      { commit: wanted, election: electionRule(wanted) },
      `these standbys count towards a commit: ${standbys.join(', ')}`,
    )
  }
  // From now on commits wait for a standby to come.
  if (mode === 'strict' && (commit.count === 0 || cannotBeMet(commit)))
    return approach(
      facts,
      { commit: commitRule(others), election: NOBODY },
      'no standby streams, so writes wait for one (strict)',
    )
  if (mode === 'strict') return { do: 'nothing', why: 'no standby streams, so writes wait for one (strict)' }
  if (!facts.alone) return { do: 'nothing', why: 'no streaming standby has caught up yet' }
  return approach(
    facts,
    { commit: NO_WAIT, election: NOBODY },
    'no standby streams, so the primary goes on alone',
  )
}

interface Rules {
  commit: CommitRule
  election: ElectionRule
}

/**
 * Commits stop waiting. What the primary acknowledges from then on need not be on any standby, so first nobody else may be
 * promoted. Only when commits have stopped waiting are standbys named again.
 */
function relax(now: Rules, election: ElectionRule, why: string): DurabilityPlan {
  const waits = now.commit.count > 0
  const wanted = waits ? NOBODY : election
  if (!sameElection(now.election, wanted)) return { do: 'elect', why, election: wanted }
  return waits ? { do: 'commit', why, commit: NO_WAIT } : { do: 'nothing', why }
}

/** One safe step towards the wanted rules. */
function approach(now: Rules & Pick<DurabilityFacts, 'level'>, wanted: Rules, why: string): DurabilityPlan {
  const commitIsRight = sameCommit(now.commit, wanted.commit)
  const electionIsRight = sameElection(now.election, wanted.election)
  if (commitIsRight && electionIsRight) return { do: 'nothing', why }
  // What was acknowledged is on every standby that has caught up: each set that may elect must contain one of them.
  const mayPublish = (election: ElectionRule): boolean =>
    election.voters.length === 0 ||
    election.need > election.voters.filter((name) => !now.level.includes(name)).length

  if (!commitIsRight && isSafe(wanted.commit, now.election))
    return { do: 'commit', why, commit: wanted.commit }
  if (!electionIsRight && isSafe(now.commit, wanted.election)) {
    if (mayPublish(wanted.election)) return { do: 'elect', why, election: wanted.election }
    return { do: 'nothing', why: 'too few of the new voters have caught up' }
  }
  // Neither step is safe: meanwhile all of the old and the new voters must be seen.
  const all = union(now.election.voters, wanted.election.voters)
  const bridge = { voters: all, need: all.length }
  const bridges = isSafe(now.commit, bridge) && mayPublish(bridge) && !sameElection(now.election, bridge)
  return { do: 'elect', why, election: bridges ? bridge : NOBODY }
}

const union = (one: readonly string[], other: readonly string[]): string[] =>
  [...new Set([...one, ...other])].sort()

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && union(one, other).length === one.length
export const sameCommit = (one: CommitRule, other: CommitRule): boolean =>
  one.count === other.count && sameNames(one.standbys, other.standbys)
const sameElection = (one: ElectionRule, other: ElectionRule): boolean =>
  one.need === other.need && sameNames(one.voters, other.voters)
