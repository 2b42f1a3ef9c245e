import { currentPrimary, type Leadership, type LocalDatabase, UNKNOWN, type Unknown } from './facts.ts'

export interface FollowFacts {
  node: string
  leadership: Leadership | Unknown
  local: LocalDatabase | Unknown
  /** Host in primary_conninfo, or null; only a standby has one. */
  upstream: string | null
}

export type FollowPlan =
  | { do: 'nothing'; why: string }
  /** Point replication at the primary. */
  | { do: 'point'; why: string; host: string; port: number }
  /** This machine must be made a standby again. */
  | { do: 'rejoin'; why: string }

/** A standby streams from the primary; a former primary is stopped and rejoined. */
export function decideFollow({ node, leadership, local, upstream }: FollowFacts): FollowPlan {
  if (leadership === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer' }
  if (local === UNKNOWN) return { do: 'nothing', why: 'PostgreSQL does not answer' }
  const primary = currentPrimary(leadership)
  if (!primary) return { do: 'nothing', why: 'nobody holds the lock' }
  if (primary.node === node) return { do: 'nothing', why: 'this is the primary' }
  if (local.role === 'primary')
    return { do: 'rejoin', why: `${primary.node} is the primary, but this machine runs as one too` }
  if (local.role === 'down')
    return { do: 'nothing', why: 'PostgreSQL does not run; systemd and the start gate see to it' }
  if (upstream === primary.address) return { do: 'nothing', why: `follows ${primary.node}` }
  return { do: 'point', why: `${primary.node} is the primary`, host: primary.address, port: primary.port }
}
