import type { Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { holdsLock } from './decide-failover.ts'
import type { LocalDatabase } from './role.ts'

/** The smallest cluster in which others can elect a primary without this machine. */
const FENCE_FROM = 3

/** How long a primary may be without its standbys and without its lock before it stops. An election of Consul is shorter. */
export const FENCE_AFTER_MS = 3000

export interface FenceFacts {
  node: string
  local: LocalDatabase | Unknown
  /** How many members the cluster has, as the local database knows. */
  members: number
  /** How many standbys stream from here. */
  streaming: number
  leadership: Leadership | Unknown
  ownSessions: readonly string[] | Unknown
  /** Since this run first looked. */
  waitedMs: number
}

export interface FencePlan {
  do: 'nothing' | 'wait' | 'fence'
  why: string
}

/**
 * A primary that has neither its standbys nor its lock is cut off, or was left: it stops taking writes and gives up its claim on
 * the virtual IP. With standbys it goes on without Consul; with the lock it goes on without standbys.
 */
export function decideFence(facts: FenceFacts): FencePlan {
  const { node, local, members, streaming, leadership, ownSessions, waitedMs } = facts
  if (local === UNKNOWN || local.role !== 'primary')
    return { do: 'nothing', why: 'this is no running primary' }
  if (members < FENCE_FROM) return { do: 'nothing', why: `of ${members} members nobody else can be elected` }
  if (streaming > 0) return { do: 'nothing', why: `${streaming} of its standbys stream` }
  const unknown = leadership === UNKNOWN || ownSessions === UNKNOWN
  if (!unknown) {
    const { leader, primary } = leadership
    // Promoted, and about to be published: that may take longer than we would wait here.
    const leads = primary?.node === node || local.timeline > (primary?.timeline ?? 0)
    if (holdsLock({ leader, ownSessions }) && leads) return { do: 'nothing', why: 'the lock is ours' }
  }
  const why = `no standby streams, and ${unknown ? 'Consul does not answer' : 'the lock is not ours'}`
  return { do: waitedMs < FENCE_AFTER_MS ? 'wait' : 'fence', why }
}
