import { currentPrimary } from '../consul/leadership.ts'
import type { CheckPlan } from '../core/component.ts'
import type { Failure } from '../core/decide-backoff.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { mayNeedFollow, type Replication } from './decide-follow.ts'

/** The units that a check of the database may start. */
type Repair = 'failover' | 'fence' | 'follow' | 'rejoin'

export interface DatabaseCheckPlan extends CheckPlan {
  start: Repair[]
}

/** Which units hold the lock, fence, follow or rejoin have something to do; what a person should know of the database. */
export function decideDatabaseCheck(facts: Replication): DatabaseCheckPlan {
  const { node, leadership, local } = facts
  const plan = (start: Repair[], problem: string | null): DatabaseCheckPlan => ({
    do: start.length > 0 ? 'start' : 'nothing',
    why: problem ?? 'the database has its role',
    start,
    problems: problem === null ? [] : [problem],
  })
  const runs = local !== UNKNOWN && local.role !== 'down'
  const leads = local !== UNKNOWN && local.role === 'primary'
  // That Consul does not answer is for its own component to say.
  if (leadership === UNKNOWN) return { ...plan(leads ? ['fence'] : [], null), why: 'Consul does not answer' }
  const { leader, primary } = leadership
  const start: Repair[] = []
  // A lock of ours is looked after whoever is published: a run that was killed may have left it.
  const ours = [primary?.node, leader?.value.node].includes(node)
  if (primary && (!leader?.session || ours)) start.push('failover')
  if (primary?.node === node && !runs) start.push('rejoin')
  if (primary && !currentPrimary(leadership)) {
    if (leads) start.push('fence')
    return plan(
      start,
      leader?.session
        ? `${leader.value.node} holds the lock, but is not published as the primary`
        : 'no machine holds the lock of the primary',
    )
  }
  const why = mayNeedFollow(facts)
  if (why !== null) start.push('follow')
  return plan(start, why ?? (runs ? null : 'PostgreSQL does not answer'))
}

/** What a rejoin fails on needs a person, if it goes on. */
export function decideRejoinCheck({ failure }: { failure: Failure | null }): CheckPlan {
  if (failure === null) return { do: 'nothing', why: 'no rejoin has failed', problems: [] }
  const why = `rejoin has failed ${failure.count} times since ${failure.since}: ${failure.reason}`
  return { do: 'nothing', why, problems: [why] }
}
