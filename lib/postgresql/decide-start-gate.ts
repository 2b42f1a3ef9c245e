import type { Entry } from '../consul/entry.ts'
import type { Leadership } from '../consul/leadership.ts'
import type { Leader } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** What else Consul holds of the cluster. `join` writes the settings first, and members only after the first primary. */
export interface ClusterTraces {
  config: boolean
  /** Names of machines that are members by any document. */
  members: readonly string[]
  /** An election rule. */
  sync: boolean
}

export interface StartGateFacts {
  /** The database that starts is the cluster's, not another one on this machine. */
  ours: boolean
  node: string
  /** standby.signal is there: PostgreSQL starts as a standby, whatever it was before. */
  standbySignal: boolean
  leadership: Leadership | Unknown
  /** Ids of this machine's own sessions that may hold the lock. */
  ownSessions: readonly string[] | Unknown
  /** Read only if no primary is published. */
  traces: ClusterTraces | Unknown | null
}

/** `allow` starts; `lock` takes the lock first; `refuse` does not start and rejoins instead; `wait` looks again. */
export type StartGatePlan =
  | { do: 'nothing' | 'allow' | 'refuse'; why: string }
  /** `withdraw`: nobody says that this machine still leads, so it gives up the virtual IP. */
  | { do: 'wait'; why: string; withdraw?: true }
  /** Only if the lock is as it was seen: its ModifyIndex, 0 where it was never taken. */
  | { do: 'lock'; why: string; modifyIndex: number }

const NO_ANSWER = 'Consul does not say who is the primary'
const RESTORE = 'restore a snapshot of Consul (consul snapshot restore), then PostgreSQL starts by itself'

/** PostgreSQL starts as a primary only if Consul says that this machine is the primary and holds the lock. */
export function decideStartGate({
  ours,
  node,
  standbySignal,
  leadership,
  ownSessions,
  traces,
}: StartGateFacts): StartGatePlan {
  if (!ours) return { do: 'nothing', why: 'this database does not belong to the cluster' }
  if (standbySignal) return { do: 'allow', why: 'it starts as a standby' }
  if (leadership === UNKNOWN || ownSessions === UNKNOWN) return { do: 'wait', why: NO_ANSWER, withdraw: true }
  const { leader, primary } = leadership
  if (!primary) return decideUnpublished(node, leader, traces)
  if (primary.node !== node) return { do: 'refuse', why: `${primary.node} is the primary` }
  if (!leader?.session)
    return {
      do: 'lock',
      why: 'this machine is the primary and the lock is free',
      modifyIndex: leader?.modifyIndex ?? 0,
    }
  if (ownSessions.includes(leader.session))
    return { do: 'allow', why: 'this machine is the primary and holds the lock' }
  return { do: 'wait', why: `${leader.value.node} has taken the lock` }
}

/**
 * No primary is published: this is the first machine before the end of its join, or Consul has lost the document. In the second
 * case another machine may have newer data, so nothing starts as a primary.
 */
function decideUnpublished(
  node: string,
  leader: Entry<Leader> | null,
  traces: StartGateFacts['traces'],
): StartGatePlan {
  if (traces === UNKNOWN || traces === null) return { do: 'wait', why: NO_ANSWER }
  if (!traces.config)
    return { do: 'wait', why: `Consul holds no cluster, but this machine is a member of one: ${RESTORE}` }
  const lockedByOther = leader !== null && leader.value.node !== node
  if (traces.members.length > 0 || traces.sync || lockedByOther)
    return { do: 'wait', why: `postgresql/primary is missing in Consul, but there has been one: ${RESTORE}` }
  return { do: 'allow', why: 'this cluster has no primary yet' }
}
