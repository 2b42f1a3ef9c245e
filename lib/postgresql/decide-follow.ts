import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Lineage } from './decide-lineage.ts'
import type { LocalDatabase } from './role.ts'

/** Who leads, and where this machine's database gets its WAL from, as any user of ours may see it. */
export interface Replication {
  node: string
  leadership: Leadership | Unknown
  local: LocalDatabase | Unknown
  /** Host in primary_conninfo, or null; only a standby has one. */
  upstream: string | null
  streaming: boolean
}

export interface FollowFacts extends Replication {
  /** standby.signal is there: whatever PostgreSQL says or does not say, it is a standby. */
  standbySignal: boolean
  /** Whether a standby that does not stream can go on with the primary; null where there is nothing to ask. */
  lineage: Lineage | null | Unknown
}

export type FollowPlan =
  | { do: 'nothing'; why: string }
  /** Point replication at the primary, if it still is the primary under this epoch. */
  | { do: 'point'; why: string; host: string; port: number; epoch: number }
  /** This machine must be made a standby again. */
  | { do: 'rejoin'; why: string }

/** A standby streams from the primary; a former primary, and a standby that cannot go on, is rejoined. */
export function decideFollow(facts: FollowFacts): FollowPlan {
  const { node, leadership, local, standbySignal, upstream, streaming, lineage } = facts
  if (leadership === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer' }
  const primary = currentPrimary(leadership)
  if (!primary) return { do: 'nothing', why: 'nobody holds the lock' }
  if (primary.node === node) return { do: 'nothing', why: 'this is the primary' }
  if (local === UNKNOWN || local.role === 'down') {
    const what = local === UNKNOWN ? 'does not answer' : 'does not run'
    if (standbySignal)
      return { do: 'nothing', why: `PostgreSQL ${what}; systemd and the start gate see to it` }
    return { do: 'rejoin', why: `${primary.node} is the primary, and the former primary here ${what}` }
  }
  if (local.role === 'primary')
    return { do: 'rejoin', why: `${primary.node} is the primary, but this machine runs as one too` }
  const right = upstream === primary.address
  if (right && streaming) return { do: 'nothing', why: `follows ${primary.node}` }
  if (lineage === 'diverged')
    return { do: 'rejoin', why: `this standby has what ${primary.node} does not have` }
  if (lineage === 'behind')
    return { do: 'rejoin', why: `${primary.node} no longer has the WAL that is needed here` }
  if (right) return { do: 'nothing', why: `connects to ${primary.node}` }
  const { address: host, port, epoch } = primary
  return { do: 'point', why: `${primary.node} is the primary`, host, port, epoch }
}

/** Why the follow unit should look, or null where replication is as it should be. */
export function mayNeedFollow(seen: Replication): string | null {
  if (seen.leadership === UNKNOWN) return null
  const primary = currentPrimary(seen.leadership)
  if (!primary || primary.node === seen.node) return null
  if (
    seen.local !== UNKNOWN &&
    seen.local.role === 'standby' &&
    seen.streaming &&
    seen.upstream === primary.address
  )
    return null
  if (seen.local === UNKNOWN || seen.local.role === 'down') return 'PostgreSQL does not answer'
  return `${primary.node} is the primary, and this machine does not follow it`
}
