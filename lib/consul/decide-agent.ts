import type { CheckPlan } from '../core/component.ts'

export interface AgentFacts {
  /** Consul has a leader: it answered a consistent read. */
  answers: boolean
  /** Members of the gossip pool as this machine's agent sees them. */
  members: readonly { address: string; alive: boolean }[]
}

export interface AgentPlan extends CheckPlan {
  /** Addresses of members that the agent should look for. */
  join: string[]
}

/** While Consul has no leader, the agent looks for lost members at once. */
export function decideAgent({ answers, members }: AgentFacts): AgentPlan {
  if (answers) return { do: 'nothing', why: 'Consul answers', join: [], problems: [] }
  const join = members.filter(({ alive }) => !alive).map(({ address }) => address)
  const why = 'Consul does not answer, failover is suspended'
  return { do: join.length > 0 ? 'join' : 'nothing', why, join, problems: [why] }
}
