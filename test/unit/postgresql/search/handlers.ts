import { renderSynchronous } from '../../../../lib/postgresql/config-synchronous.ts'
import { decideDatabaseCheck } from '../../../../lib/postgresql/decide-check.ts'
import { commitRule } from '../../../../lib/postgresql/decide-durability.ts'
import { type FailoverPlan, holdsLock, TAKE_BACK_MS } from '../../../../lib/postgresql/decide-failover.ts'
import { decideFollow } from '../../../../lib/postgresql/decide-follow.ts'
import { isUnpublished, type RejoinPlan } from '../../../../lib/postgresql/decide-rejoin.ts'
import { decideStartGate } from '../../../../lib/postgresql/decide-start-gate.ts'
import { addressOf } from '../../support/documents.ts'
import { acquire, publish, release, sessionsOf } from './consul.ts'
import type { Rules } from './rules.ts'
import { failoverFacts, fenceFacts, replicationFacts, startGateFacts, tell } from './sight.ts'
import {
  asksConsul,
  change,
  NODES,
  type Node,
  others,
  reaches,
  type State,
  type Step,
  stop,
} from './state.ts'
import { upkeep } from './upkeep.ts'
import { rewind, timeline } from './wal.ts'

/** How long the lock has been free: any time may have gone by. What a time between the two permits, the longer one permits as well. */
const WAITED_MS = [0, TAKE_BACK_MS]

/** A run of the gate looks. What only tells Consul or stops a receiver is done at once. */
export function failover(state: State, node: Node, rules: Rules): Step[] {
  const { power, role, plan } = state.machines[node]
  if (!power || role === 'down' || plan) return []
  const steps: Step[] = []
  for (const waitedMs of role === 'standby' ? WAITED_MS : [0]) {
    const facts = failoverFacts(state, node, waitedMs)
    const decided = rules.failover(facts)
    if (decided.do === 'settled' && role === 'primary' && holdsLock(facts))
      steps.push(...upkeep(unmark(state, node, true), node))
    steps.push({
      what: `${node}: ${decided.do}`,
      why: decided.why,
      state: carryOut(state, node, decided, rules),
    })
  }
  return steps
}

function carryOut(state: State, node: Node, plan: FailoverPlan, rules: Rules): State {
  const { rule, waits, served } = state.machines[node]
  switch (plan.do) {
    case 'settled':
    case 'leave':
      return unmark(state, node, false)
    case 'stop-receiver':
      return change(state, node, { upstream: null, sender: null })
    case 'stop-other-receivers':
      return NODES.filter((other) => plan.nodes.includes(other) && reaches(state, node, other)).reduce(
        (next, other) => change(next, other, { upstream: null, sender: null }),
        state,
      )
    case 'lock':
    case 'adopt':
      return acquire(state, `${node} leader`)
    case 'promote':
      return change(state, node, { plan: { do: 'promote' } })
    case 'unlock':
      return release(state)
    case 'publish':
      if (rules.provesPromotion && !served && rule !== '' && !waits) return state
      return change(publish(state, node, plan.timeline), node, { served: true })
    case 'wait':
    case 'watch':
    case 'restart':
      return state
  }
}

/** The mark of a promotion that is published, or that did not happen, goes. */
function unmark(state: State, node: Node, leads: boolean): State {
  const { promotedFrom } = state.machines[node]
  if (promotedFrom === null || (!leads && isUnpublished(promotedFrom, tell(state, node)))) return state
  return change(state, node, { promotedFrom: null })
}

/** What was decided is carried out. */
export function act(state: State, node: Node, rules: Rules): Step[] {
  const { power, plan, wal } = state.machines[node]
  const done = change(state, node, { plan: null })
  if (!power) return []
  if (plan?.do === 'promote' && state.left.promotions > 0) {
    const left = { ...state.left, promotions: state.left.promotions - 1 }
    const promoted = change({ ...done, left }, node, {
      ...{
        role: 'primary',
        standbySignal: false,
        upstream: null,
        sender: null,
        promotedFrom: rules.marksPromotion ? timeline(wal) : null,
      },
      ...{ wal: wal + node.slice(1), rule: renderSynchronous(commitRule(others(node))) },
      proven: !rules.provesPromotion,
    })
    return [{ what: `${node} is promoted`, state: promoted }]
  }
  if (plan?.do === 'point') {
    const pointed = change(done, node, { upstream: plan.upstream, sender: null })
    return [{ what: `${node} points at ${plan.upstream}`, state: pointed }]
  }
  if (plan?.do === 'start') {
    const started = change(done, node, { role: 'primary', waits: state.machines[node].rule !== '' })
    return [{ what: `${node} starts as a primary`, state: started }]
  }
  return []
}

/** systemd starts PostgreSQL. */
export function startGate(state: State, node: Node): Step[] {
  const { power, role, plan, stopped, standbySignal } = state.machines[node]
  if (!power || role !== 'down' || plan || stopped) return []
  const decided = decideStartGate(startGateFacts(state, node))
  const step = (next: State): Step[] => [
    { what: `${node}: start gate ${decided.do}`, why: decided.why, state: next },
  ]
  if (decided.do === 'allow' && standbySignal) return step(change(state, node, AS_STANDBY))
  if (decided.do === 'allow') return step(change(state, node, { plan: { do: 'start' } }))
  if (decided.do === 'lock') return step(acquire(state, `${node} start`))
  if (decided.do === 'refuse' && sessionsOf(state, node).length > 0) return step(release(state))
  return []
}

/** What a standby does not need is gone. */
const AS_STANDBY = { role: 'standby', standbySignal: true, rule: '', served: false, stopped: false } as const

/** Follow, and rejoin where follow, the check or the start gate starts it. */
export function replication(state: State, node: Node, rules: Rules): Step[] {
  const { role, stopped, plan } = state.machines[node]
  if (!asksConsul(state, node) || plan) return []
  const facts = replicationFacts(state, node)
  const follow = decideFollow(facts)
  if (follow.do === 'point') {
    const upstream = NODES.find((one) => addressOf(one) === follow.host) ?? node
    if (!reaches(state, node, upstream)) return []
    const decided = change(state, node, { plan: { do: 'point', upstream } })
    if (!rules.looksBeforeItPoints)
      return [{ what: `${node}: follow ${upstream}`, why: follow.why, state: decided }]
    return act(decided, node, rules).map((step) => ({ ...step, why: follow.why }))
  }
  const refused = role === 'down' && !stopped && decideStartGate(startGateFacts(state, node)).do === 'refuse'
  if (!refused && follow.do !== 'rejoin' && !decideDatabaseCheck(facts).start.includes('rejoin')) return []
  const decided = rules.rejoin(facts)
  return [{ what: `${node}: rejoin ${decided.do}`, why: decided.why, state: rejoin(state, node, decided) }]
}

function rejoin(state: State, node: Node, plan: RejoinPlan): State {
  if (plan.do === 'start') return change(state, node, { stopped: false })
  if (plan.do === 'stand-by') return stop(state, node, { ...AS_STANDBY, upstream: null })
  if (plan.do !== 'rewind' && plan.do !== 'clone') return state
  const source = plan.primary.node as Node
  const { role, wal } = state.machines[source]
  if (!reaches(state, node, source) || role !== 'primary') return stop(state, node, { stopped: true })
  const own = state.machines[node]
  return stop(state, node, {
    ...{ ...AS_STANDBY, upstream: source },
    wal: plan.do === 'clone' ? wal : rewind(own.wal, wal),
    promotedFrom: plan.do === 'clone' ? null : own.promotedFrom,
  })
}

/** A run of the fence that has found it cut off for long enough. */
export function fence(state: State, node: Node, rules: Rules): Step[] {
  const { power, role } = state.machines[node]
  if (!power || role !== 'primary') return []
  const decided = rules.fence(fenceFacts(state, node))
  if (decided.do !== 'fence') return []
  return [{ what: `${node} is fenced`, why: decided.why, state: stop(state, node, { stopped: true }) }]
}
