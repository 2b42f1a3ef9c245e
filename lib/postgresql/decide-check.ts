import { currentPrimary } from '../consul/leadership.ts'
import type { CheckPlan } from '../core/component.ts'
import { type Failure, failedAttempts } from '../core/decide-backoff.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { mayNeedFollow, type Replication } from './decide-follow.ts'
import { FAILED_STARTS } from './decide-starts.ts'

/** The units that a check of the database may start. */
type Repair = 'failover' | 'fence' | 'follow' | 'rejoin'

export interface DatabaseCheckPlan extends CheckPlan {
  start: Repair[]
}

/**
 * Which of the units failover, fence, follow and rejoin have something to do, and what the operator should know.
 * @param facts.keptUp the epoch for which the upkeep of the primary has nothing left to do: it is started all the same.
 */
export function decideDatabaseCheck(facts: Replication & { keptUp?: number | null }): DatabaseCheckPlan {
  const { node, leadership, local, keptUp = null } = facts
  const current = leadership === UNKNOWN ? null : currentPrimary(leadership)
  const isKeptUp = current !== null && current.node === node && current.epoch === keptUp
  const plan = (start: Repair[], problem: string | null): DatabaseCheckPlan => ({
    do: start.length > 0 ? 'start' : 'nothing',
    why: problem ?? 'PostgreSQL runs in its role',
    start,
    problems: problem === null ? [] : [problem],
    ...(isKeptUp && start.join() === 'failover' && problem === null ? { settled: true } : {}),
  })
  const runs = local !== UNKNOWN && local.role !== 'down'
  const leads = local !== UNKNOWN && local.role === 'primary'
  // The line of Consul's own component reports that Consul does not answer.
  if (leadership === UNKNOWN) {
    // Also without a primary to stop: the machine may still have the virtual IP.
    const standby = local !== UNKNOWN && local.role === 'standby'
    return { ...plan(standby ? [] : ['fence'], null), why: 'Consul does not answer' }
  }
  const { leader, primary } = leadership
  const start: Repair[] = []
  // Also if another machine is published: a run that was killed may have left the lock to this one.
  const ours = [primary?.node, leader?.value.node].includes(node)
  if (primary && (!leader?.session || ours)) start.push('failover')
  if (primary?.node === node && !runs) start.push('rejoin')
  if (primary && !currentPrimary(leadership)) {
    if (leads) start.push('fence')
    // A standby that is stopped, or a machine that was promoted but never published, takes part in the election.
    if (!runs && !start.includes('rejoin')) start.push('rejoin')
    return plan(
      start,
      leader?.session
        ? `${leader.value.node} holds the lock, but is not the published primary`
        : 'no machine holds the lock',
    )
  }
  const why = mayNeedFollow(facts)
  if (why !== null) start.push('follow')
  return plan(start, why ?? (runs ? null : 'PostgreSQL does not answer'))
}

/** A rejoin that keeps failing needs the operator, and a copy takes its time. @param facts.copying how far a copy is. */
export function decideRejoinCheck({
  failure,
  copying,
}: {
  failure: Failure | null
  copying: string | null
}): CheckPlan {
  if (copying !== null) {
    const why = `this machine is copying ${copying.trim()}`
    return { do: 'nothing', why, problems: [why] }
  }
  if (failure === null) return { do: 'nothing', why: 'the last rejoin did not fail', problems: [] }
  const why = `${failedAttempts(failure, 'to rejoin')} since ${failure.since}: ${failure.reason}`
  return { do: 'nothing', why, problems: [why] }
}

/** A standby that fails to start. @param facts.failed how many starts have failed, one after the other, the running one included. */
export function decideStartsCheck({ failed, runs }: { failed: number; runs: boolean }): CheckPlan {
  if (runs || failed < 2) return { do: 'nothing', why: 'PostgreSQL starts', problems: [] }
  const why = `PostgreSQL has failed to start ${failed} times; after ${FAILED_STARTS} failed starts this standby is cloned again`
  return { do: 'nothing', why, problems: [why] }
}

/**
 * What a copy has replaced is kept for as long as there is room.
 * @param facts.unwanted an operator has asked for a copy. It is not made yet: a power cut may have ended it, after which the standby runs.
 */
export function decideReplacedCheck({
  crowded,
  unwanted,
}: {
  crowded: boolean
  unwanted: boolean
}): CheckPlan {
  if (unwanted)
    return { do: 'start', why: 'the copy that an operator has asked for is not made yet', problems: [] }
  return crowded
    ? {
        do: 'start',
        why: 'the disk is getting full, and what a copy has replaced is still there',
        problems: [],
      }
    : { do: 'nothing', why: 'there is room', problems: [] }
}

/** Data that went back in time needs the operator, unless a standby takes over. @param facts.reason what the start gate has left. */
export function decideStaleCheck({ reason }: { reason: string | null }): CheckPlan {
  if (reason === null)
    return { do: 'nothing', why: 'the data is not older than what was confirmed', problems: [] }
  return { do: 'nothing', why: reason.trim(), problems: [reason.trim()] }
}

/** The upkeep looks about every 15 s, and whatever was ended comes back within some seconds: two runs, and some delay. */
export const STRANGER_MS = 60_000

/** A stream under the name of a member that is not the member's own. @param facts.ended the last one that the upkeep has ended. */
export function decideStrangerCheck({ ended, nowMs }: { ended: Failure | null; nowMs: number }): CheckPlan {
  if (ended === null || nowMs - Date.parse(ended.last) > STRANGER_MS)
    return { do: 'nothing', why: 'only members stream under their names', problems: [] }
  return { do: 'nothing', why: ended.reason, problems: [ended.reason] }
}
