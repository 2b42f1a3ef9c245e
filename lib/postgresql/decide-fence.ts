import type { Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { holdsLock } from './decide-failover.ts'
import type { LocalDatabase } from './role.ts'

/** The smallest cluster in which others can elect a primary without this machine. */
const FENCE_FROM = 3

/** How long a primary may be without its standbys and without its lock before it stops: an election of Consul's leader is shorter. */
export const FENCE_AFTER_MS = 3000

export interface FenceFacts {
  node: string
  local: LocalDatabase | Unknown
  /** How many members the local database knows. */
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
 * A primary that has neither its standbys nor its lock is cut off, or its standbys have left it: it is stopped, and the machine
 * gives up the virtual IP. With standbys it goes on without Consul; with the lock it goes on without standbys.
 */
export function decideFence(facts: FenceFacts): FencePlan {
  const { node, local, members, streaming, leadership, ownSessions, waitedMs } = facts
  if (local === UNKNOWN || local.role !== 'primary')
    return { do: 'nothing', why: 'no primary runs on this machine' }
  if (members < FENCE_FROM)
    return { do: 'nothing', why: `a cluster of ${members} cannot elect another primary` }
  if (streaming > 0) return { do: 'nothing', why: `standbys that stream from this primary: ${streaming}` }
  const unknown = leadership === UNKNOWN || ownSessions === UNKNOWN
  if (!unknown) {
    const { leader, primary } = leadership
    // Promoted, and about to be published, which may take longer than FENCE_AFTER_MS.
    const leads = primary?.node === node || local.timeline > (primary?.timeline ?? 0)
    if (holdsLock({ leader, ownSessions }) && leads)
      return { do: 'nothing', why: 'this machine holds the lock' }
  }
  const why = `no standby streams, and ${unknown ? 'Consul does not answer' : 'this machine does not hold the lock'}`
  return { do: waitedMs < FENCE_AFTER_MS ? 'wait' : 'fence', why }
}
