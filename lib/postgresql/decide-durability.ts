import type { DurabilityMode } from '../consul/manifest.ts'

/** From how many members on mode `quorum` lets a commit wait: with two, losing either would stop the writes. */
const QUORUM_FROM = 3

/** What PostgreSQL lets a commit wait for: any `count` of these standbys have it on disk. None: it does not wait. */
export interface CommitRule {
  standbys: readonly string[]
  count: number
}

/** Who may be promoted, and how many of the voters must be seen for it: the document `postgresql/sync`. */
export interface ElectionRule {
  voters: readonly string[]
  need: number
}

export const NO_WAIT: CommitRule = { standbys: [], count: 0 }
/** Only the primary itself may lead. */
export const NOBODY: ElectionRule = { voters: [], need: 1 }

export interface DurabilityFacts {
  node: string
  /** Names of all members. */
  members: readonly string[]
  mode: DurabilityMode
  commit: CommitRule
  election: ElectionRule
  /** Members whose standby streams from here. */
  streaming: readonly string[]
  /** Those of them that have on disk all that was written before the commit rule was read. */
  level: readonly string[]
  /** No standby has streamed for so long that the primary may go on alone. */
  alone: boolean
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
  if (election.voters.length === 0) return true
  return commit.count + election.need > union(commit.standbys, election.voters).length
}

/** With n standbys a commit waits for the larger half of them: any majority of the machines then has it. */
export function commitRule(standbys: readonly string[]): CommitRule {
  return { standbys: [...standbys].sort(), count: Math.floor((standbys.length + 1) / 2) }
}

const electionRule = ({ standbys, count }: CommitRule): ElectionRule =>
  standbys.length === 0 ? NOBODY : { voters: standbys, need: standbys.length - count + 1 }

/** Does a commit wait at all in a cluster of this size? */
export function isSynchronous(mode: DurabilityMode, members: number): boolean {
  return (mode === 'quorum' && members >= QUORUM_FROM) || (mode === 'strict' && members >= 2)
}

/**
 * The next single step of a primary that holds the lock; called again until it says `nothing`. Each step keeps the
 * invariant, so that a crash after any of them loses nothing. The problem and its reference: Patroni's quorum commit,
 * https://patroni.readthedocs.io/en/latest/replication_modes.html#quorum-commit-mode.
 */
export function decideDurability(facts: DurabilityFacts): DurabilityPlan {
  const { node, members, mode, commit, election } = facts
  const others = members.filter((member) => member !== node).sort()
  if (!isSynchronous(mode, members.length)) {
    const why = mode === 'async' ? 'commits do not wait (async)' : `${members.length} members are too few`
    return follow(facts, { commit: NO_WAIT, election: { voters: others, need: 1 } }, why)
  }

  // One that counts already stays while it streams, however busy it is; a new one has to be level first.
  const counted = commit.standbys.filter((name) => election.voters.includes(name))
  const standbys = others.filter(
    (name) => facts.level.includes(name) || (counted.includes(name) && facts.streaming.includes(name)),
  )
  if (standbys.length > 0) {
    const wanted = commitRule(standbys)
    return approach(
      facts,
      { commit: wanted, election: electionRule(wanted) },
      `${standbys.join(', ')} stream`,
    )
  }
  // Commits that could not wait before wait from now on; that nobody streams is what they wait for.
  if (mode === 'strict' && commit.count === 0)
    return approach(
      facts,
      { commit: commitRule(others), election: NOBODY },
      'strict: writes wait for a standby',
    )
  if (mode === 'strict') return { do: 'nothing', why: 'no standby streams: writes wait (strict)' }
  if (!facts.alone) return { do: 'nothing', why: 'no standby streams yet' }
  return approach(facts, { commit: NO_WAIT, election: NOBODY }, 'no standby streams, and the lock is ours')
}

interface Rules {
  commit: CommitRule
  election: ElectionRule
}

/** Without a promise to keep, both are simply set. */
function follow(now: Rules, wanted: Rules, why: string): DurabilityPlan {
  if (!sameElection(now.election, wanted.election)) return { do: 'elect', why, election: wanted.election }
  if (!sameCommit(now.commit, wanted.commit)) return { do: 'commit', why, commit: wanted.commit }
  return { do: 'nothing', why }
}

/** One safe step towards what is wanted. */
function approach(now: Rules & Pick<DurabilityFacts, 'level'>, wanted: Rules, why: string): DurabilityPlan {
  const commitIsRight = sameCommit(now.commit, wanted.commit)
  const electionIsRight = sameElection(now.election, wanted.election)
  if (commitIsRight && electionIsRight) return { do: 'nothing', why }
  // What was acknowledged before is on every member that is level: each electing set must contain one of those.
  const mayPublish = (election: ElectionRule): boolean =>
    election.voters.length === 0 ||
    election.need > election.voters.filter((name) => !now.level.includes(name)).length

  if (!commitIsRight && isSafe(wanted.commit, now.election))
    return { do: 'commit', why, commit: wanted.commit }
  if (!electionIsRight && isSafe(now.commit, wanted.election)) {
    if (mayPublish(wanted.election)) return { do: 'elect', why, election: wanted.election }
    return { do: 'nothing', why: 'those who would elect have not caught up yet' }
  }
  // Neither is safe alone: all of the old and the new must be seen for as long as it takes.
  const all = union(now.election.voters, wanted.election.voters)
  const bridge = { voters: all, need: all.length }
  const bridges = isSafe(now.commit, bridge) && mayPublish(bridge) && !sameElection(now.election, bridge)
  return { do: 'elect', why, election: bridges ? bridge : NOBODY }
}

const union = (one: readonly string[], other: readonly string[]): string[] =>
  [...new Set([...one, ...other])].sort()

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && union(one, other).length === one.length
const sameCommit = (one: CommitRule, other: CommitRule): boolean =>
  one.count === other.count && sameNames(one.standbys, other.standbys)
const sameElection = (one: ElectionRule, other: ElectionRule): boolean =>
  one.need === other.need && sameNames(one.voters, other.voters)
