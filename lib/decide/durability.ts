/** From how many members on a commit waits for a standby: with two, losing either would stop the writes. */
export const SYNCHRONOUS_FROM = 3

/** How long a primary without any streaming standby has to hold its lock before it goes on alone. */
export const ALONE_AFTER_MS = 20_000

export interface DurabilityFacts {
  node: string
  /** Names of all members. */
  members: readonly string[]
  /** Members whose standby streams from here. */
  streaming: readonly string[]
  /** synchronous_standby_names as it is set. */
  current: string
  /** For how long this machine has held the lock, as Consul confirmed just now. */
  heldMs: number
}

export interface DurabilityPlan {
  do: 'nothing' | 'set'
  why: string
  names: string
}

/**
 * From three members on a commit is acknowledged only when a standby has it: a primary that is cut off from all of them,
 * or was frozen while another took over, can acknowledge nothing. Only a primary whose lock Consul confirms goes on alone.
 */
export function decideDurability(facts: DurabilityFacts): DurabilityPlan {
  const { node, members, streaming, current, heldMs } = facts
  const plan = (names: string, why: string): DurabilityPlan => ({
    do: names === current ? 'nothing' : 'set',
    why,
    names,
  })
  if (members.length < SYNCHRONOUS_FROM) return plan('', `${members.length} members are too few`)
  if (streaming.length > 0) return plan(anyStandby(node, members), `${streaming.join(', ')} streams`)
  if (heldMs < ALONE_AFTER_MS) return plan(current, 'no standby streams yet')
  return plan('', 'no standby streams, and the lock is ours')
}

/** A commit waits for one of the other members, see synchronous_standby_names in PostgreSQL's documentation. */
export function anyStandby(node: string, members: readonly string[]): string {
  const others = members.filter((member) => member !== node).sort()
  return `ANY 1 (${others.map((name) => `"${name}"`).join(', ')})`
}
