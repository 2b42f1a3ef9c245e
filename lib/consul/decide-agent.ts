import type { CheckPlan } from '../core/component.ts'

export interface AgentFacts {
  /** Consul has a leader: it answered a consistent read. */
  answers: boolean
  /** Members of the gossip pool as this machine's agent sees them. */
  members: readonly { address: string; alive: boolean }[]
  /** Addresses of the other members, as far as this machine has been told. */
  known: readonly string[]
}

export interface AgentPlan extends CheckPlan {
  /** Addresses of members that the agent should look for. */
  join: string[]
}

/** While Consul has no leader, the agent looks for lost members at once. */
export function decideAgent({ answers, members, known }: AgentFacts): AgentPlan {
  if (answers) return { do: 'nothing', why: 'Consul answers', join: [], problems: [] }
  const lost = members.filter(({ alive }) => !alive).map(({ address }) => address)
  // An agent that was cut off when it started, and has lost its memory, has not met them at all.
  const unmet = known.filter((address) => !members.some((member) => member.address === address))
  const join = [...lost, ...unmet]
  const why = 'Consul does not answer, failover is suspended'
  return { do: join.length > 0 ? 'join' : 'nothing', why, join, problems: [why] }
}
