import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { slotName } from './config.ts'
import { type Shortage, sayShortages } from './decide-hot-standby.ts'
import type { Lineage } from './decide-lineage.ts'
import type { LocalDatabase } from './role.ts'

/** Who the primary is, and where this machine's database gets its WAL from, as every system user of understudy may see it. */
export interface Replication {
  node: string
  leadership: Leadership | Unknown
  local: LocalDatabase | Unknown
  /** Where it gets its WAL from as a member, see {@link upstreamOf}. */
  upstream: string | null
  streaming: boolean
}

export interface FollowFacts extends Replication {
  /** standby.signal is there: it is a standby, also if PostgreSQL does not answer. */
  standbySignal: boolean
  /** It was promoted and perhaps never published: another machine may have a timeline of the same number. */
  unpublished: boolean
  /** Whether a standby that does not stream can continue with the primary; null if the question does not arise. */
  lineage: Lineage | null | Unknown
  /** What keeps a paused standby from replaying; null or left out if it is not paused. */
  shortages?: readonly Shortage[] | null
}

export type FollowPlan =
  | { do: 'nothing'; why: string }
  /** Point replication at the primary, provided that it is still the primary under this epoch. */
  | { do: 'point'; why: string; host: string; port: number; epoch: number }
  /** PostgreSQL starts again with larger settings, which the start gate gives it. */
  | { do: 'restart'; why: string }
  /** This machine must be made a standby again. */
  | { do: 'rejoin'; why: string }

/** How a standby is set to stream. */
export interface StreamSettings {
  /** primary_conninfo; empty where it streams from nobody. */
  conninfo: string
  /** primary_slot_name. */
  slot: string
}

/**
 * The host that a standby streams from as the member that it is: under its name, as repmgr, from its own slot. Nothing else is counted
 * as a member's stream, see lib/postgresql/decide-streams.ts.
 * @returns null where it streams in another way, such as an operator's own standby, or not at all.
 */
export function upstreamOf(
  { conninfo, slot }: StreamSettings,
  { node, repmgrId }: { node: string; repmgrId: number },
): string | null {
  const named = (name: string): string | null =>
    new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(conninfo)?.[1] ?? null
  const isMember =
    named('application_name') === node && named('user') === 'repmgr' && slot === slotName(repmgrId)
  return isMember ? named('host') : null
}

/** A standby streams from the primary; a former primary, or a standby that cannot continue, is rejoined. */
export function decideFollow(facts: FollowFacts): FollowPlan {
  const { node, leadership, local, standbySignal, unpublished, upstream, streaming, lineage, shortages } =
    facts
  if (leadership === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer' }
  const primary = currentPrimary(leadership)
  if (!primary) return { do: 'nothing', why: 'there is no primary at the moment' }
  if (primary.node === node) return { do: 'nothing', why: 'this machine is the primary' }
  if (local === UNKNOWN || local.role === 'down') {
    const what = local === UNKNOWN ? 'does not answer' : 'does not run'
    if (standbySignal)
      return { do: 'nothing', why: `PostgreSQL ${what}; systemd starts it, through the start gate` }
    return {
      do: 'rejoin',
      why: `${primary.node} is the primary, and PostgreSQL on this machine, a former primary, ${what}`,
    }
  }
  if (local.role === 'primary')
    return {
      do: 'rejoin',
      why: `${primary.node} is the primary, but PostgreSQL on this machine runs as a primary too`,
    }
  if (unpublished) return { do: 'rejoin', why: 'this standby was promoted once, but perhaps never published' }
  const right = upstream === primary.address
  // While it streams from the primary, a restart delays nothing but the commits that wait for this very standby.
  if (right && streaming && shortages && shortages.length > 0)
    return { do: 'restart', why: `replay is paused: ${sayShortages(shortages)}` }
  if (right && streaming) return { do: 'nothing', why: `follows ${primary.node}` }
  if (lineage === 'diverged' || lineage === 'ahead')
    return { do: 'rejoin', why: `this standby has WAL that ${primary.node} does not have` }
  if (lineage === 'behind')
    return { do: 'rejoin', why: `${primary.node} no longer has the WAL that this standby needs` }
  if (right) return { do: 'nothing', why: `connects to ${primary.node}` }
  const { address: host, port, index: epoch } = primary
  return { do: 'point', why: `${primary.node} is the primary`, host, port, epoch }
}

/** Why the follow unit is to be started, or null if replication is in order. */
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
    return seen.local.paused
      ? 'replay is paused: readers see old data, and a promotion has to end that first'
      : null
  if (seen.local === UNKNOWN || seen.local.role === 'down') return 'PostgreSQL does not answer'
  return `${primary.node} is the primary, and this machine does not follow it`
}
