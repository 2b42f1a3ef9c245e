import type { Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { CommitRule } from './decide-durability.ts'
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
  /** The members that stream from here. */
  streaming: readonly string[]
  /** What commits wait for. */
  commit: CommitRule
  leadership: Leadership | Unknown
  ownSessions: readonly string[] | Unknown
  /** From the first look of this run to the answers of this one. */
  waitedMs: number
}

export interface FencePlan {
  /** `withdraw` gives up the virtual IP where there is no primary to stop. */
  do: 'nothing' | 'wait' | 'withdraw' | 'fence'
  why: string
}

/**
 * A primary that has neither its standbys nor its lock is cut off, or its standbys have left it: it is stopped, and the machine
 * gives up the virtual IP. With standbys it goes on without Consul; with the lock it goes on without standbys. A machine that runs no
 * primary and cannot ask Consul gives up the virtual IP, too: another machine may lead by now.
 */
export function decideFence(facts: FenceFacts): FencePlan {
  const { node, local, members, leadership, ownSessions, waitedMs } = facts
  const unknown = leadership === UNKNOWN || ownSessions === UNKNOWN
  if (local === UNKNOWN || local.role !== 'primary') {
    const why = 'no primary runs on this machine'
    return unknown ? { do: 'withdraw', why: `${why}, and Consul does not answer` } : { do: 'nothing', why }
  }
  if (members < FENCE_FROM)
    return { do: 'nothing', why: `a cluster of ${members} cannot elect another primary` }
  const standbys = confirming(facts)
  if (standbys.length > 0)
    return { do: 'nothing', why: `standbys that stream from this primary: ${standbys.join(', ')}` }
  if (!unknown) {
    const { leader, primary } = leadership
    // Promoted, and about to be published, which may take longer than FENCE_AFTER_MS.
    const leads = primary?.node === node || local.timeline > (primary?.timeline ?? 0)
    if (holdsLock({ leader, ownSessions }) && leads)
      return { do: 'nothing', why: 'this machine holds the lock' }
  }
  const why = `too few standbys stream, and ${unknown ? 'Consul does not answer' : 'this machine does not hold the lock'}`
  return { do: waitedMs < FENCE_AFTER_MS ? 'wait' : 'fence', why }
}

/** The standbys with which a commit can be acknowledged, or none where they are too few. A standby that does not count is no help. */
function confirming({ streaming, commit }: FenceFacts): readonly string[] {
  if (commit.count === 0) return streaming
  const counted = streaming.filter((name) => commit.standbys.includes(name))
  return counted.length < commit.count ? [] : counted
}
