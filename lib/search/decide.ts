import type { Seats } from '../consul/schemas.ts'
import type { Plan } from '../core/reconciler.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { renderHosts } from './config.ts'

/** What a clustered server says of machines that are to have no part in it. */
export interface Exclusions {
  /** Ids of servers that have no vote. */
  votes: readonly string[]
  /** What keeps indices away from servers, by name: the operator may have written names as well. */
  shards: readonly string[]
}

export interface SearchFacts {
  /** What the search servers are in this cluster, and what that of this machine was set up as; null: it is not. */
  mode: string | null
  configured: string | null
  seats: Seats | null | Unknown
  /** The ids of the servers that are members, or were, by machine. */
  known: ReadonlyMap<string, string> | Unknown
  /** The list of the other servers; null where there is none. */
  hosts: string | null
  /** Unknown where the server does not answer; null where nobody has left. */
  exclusions: Exclusions | null | Unknown
}

export interface SearchPlan extends Plan {
  do: 'nothing' | 'change'
  /** The list of the other servers as it is to be; null: there is to be none. */
  listed: string | null
  /** The same where it is to be written. */
  hosts: string | null
  /** Ids of servers that lose their vote. */
  votes: readonly string[]
  /** The names that indices are kept away from, where these change. */
  shards: readonly string[] | null
  /** What a person should know. */
  problems: readonly string[]
}

/** Machines that have left the cluster and whose server was a member. */
export function departed({ seats, known }: Pick<SearchFacts, 'seats' | 'known'>): string[] {
  if (seats === UNKNOWN || seats === null || known === UNKNOWN) return []
  return [...known.keys()].filter((name) => !(name in seats.seats)).sort()
}

/** What is to be done so that the search server of this machine knows the others, and only them. */
export function decideSearch(facts: SearchFacts): SearchPlan {
  const { mode, configured, seats, known, hosts, exclusions } = facts
  const none = { listed: null, hosts: null, votes: [], shards: null, problems: [] }
  if (mode !== 'clustered' || configured !== 'clustered')
    return { do: 'nothing', why: 'the search server is no part of a cluster of them', ...none }
  if (seats === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer', ...none }
  if (seats === null || Object.keys(seats.seats).length === 0)
    return { do: 'nothing', why: 'the list of the members is not there', ...none }
  const listed = renderHosts(seats)
  const left = departed(facts)
  const asked = exclusions === UNKNOWN ? null : exclusions
  const ids = known === UNKNOWN ? [] : left.flatMap((name) => known.get(name) ?? [])
  const votes = asked === null ? [] : ids.filter((id) => !asked.votes.includes(id))
  const more = asked === null ? [] : left.filter((name) => !asked.shards.includes(name))
  const problems =
    left.length > 0 && exclusions === UNKNOWN
      ? [
          `search: ${left.join(', ')} left, and the server here does not answer, so that nobody can exclude it there`,
        ]
      : []
  const reasons = [
    hosts === listed ? '' : 'the list of the servers is not that of the members',
    votes.length > 0 || more.length > 0
      ? `${left.join(', ')} left and is to have no part in the servers`
      : '',
  ].filter((reason) => reason !== '')
  if (reasons.length === 0)
    return { do: 'nothing', why: 'the search server knows the members', ...none, listed, problems }
  return {
    do: 'change',
    why: reasons.join('; '),
    listed,
    hosts: hosts === listed ? null : listed,
    votes,
    shards: asked !== null && more.length > 0 ? [...asked.shards, ...more] : null,
    problems,
  }
}
