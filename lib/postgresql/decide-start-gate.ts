import type { Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface StartGateFacts {
  /** It is the database of the cluster that starts, and not another one on this machine. */
  ours: boolean
  node: string
  /** standby.signal is there: PostgreSQL will start as a standby, whatever it was. */
  standbySignal: boolean
  leadership: Leadership | Unknown
  /** Ids of this machine's own sessions that may hold the lock. */
  ownSessions: readonly string[] | Unknown
}

/** `allow` starts; `lock` takes the lock first; `refuse` does not start and rejoins instead; `wait` looks again. */
export type StartGatePlan =
  | { do: 'nothing' | 'allow' | 'refuse' | 'wait'; why: string }
  /** Only if the lock is as it was seen: its ModifyIndex, 0 where it was never taken. */
  | { do: 'lock'; why: string; modifyIndex: number }

/** PostgreSQL starts as a primary only where Consul says that this machine is it and the lock is ours. */
export function decideStartGate({
  ours,
  node,
  standbySignal,
  leadership,
  ownSessions,
}: StartGateFacts): StartGatePlan {
  if (!ours) return { do: 'nothing', why: 'this database is not part of the cluster' }
  if (standbySignal) return { do: 'allow', why: 'starts as a standby' }
  if (leadership === UNKNOWN || ownSessions === UNKNOWN)
    return { do: 'wait', why: 'Consul does not say who is the primary' }
  const { leader, primary } = leadership
  if (!primary) return { do: 'allow', why: 'this cluster has no primary yet' }
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
