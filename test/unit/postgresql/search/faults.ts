import { release, sessionsOf, tellConsul } from './consul.ts'
import { change, hasMajority, NODES, type Node, type State, type Step, stop } from './state.ts'

/** What goes wrong, each counted. */
export function faults(state: State): Step[] {
  const { left } = state
  if (left.faults === 0) return []
  const one: State = { ...state, left: { ...left, faults: left.faults - 1 } }
  const steps = NODES.flatMap((node) => faultsOf(one, node))
  if (state.consul.elected)
    steps.push({ what: "Consul's servers lose their leader", state: tellConsul(one, { elected: false }) })
  return steps
}

function faultsOf(state: State, node: Node): Step[] {
  const { power, net, role, plan } = state.machines[node]
  if (!power) return []
  const steps = [{ what: `${node} loses power`, state: stop(state, node, { power: false, stopped: false }) }]
  if (net === 'linked') {
    const gone = NODES.reduce((next, one) => {
      const { upstream } = next.machines[one]
      return one === node || upstream === node ? change(next, one, { sender: null }) : next
    }, state)
    steps.push({ what: `the cable of ${node} is pulled`, state: change(gone, node, { net: 'cut' }) })
    steps.push({ what: `Consul's agent on ${node} dies`, state: change(state, node, { net: 'agentless' }) })
  }
  if (role !== 'down') steps.push({ what: `PostgreSQL on ${node} dies`, state: stop(state, node) })
  if (plan)
    steps.push({
      what: `a handler on ${node} is killed`,
      state: change(state, node, { plan: null, proven: false }),
    })
  if (hasMajority(state) && sessionsOf(state, node).length > 0)
    steps.push({ what: `${node} loses its session`, state: release(state) })
  return steps
}

/** What comes back, which nobody may rely on. */
export function returns(state: State): Step[] {
  const steps = NODES.flatMap((node) => {
    const { power, net } = state.machines[node]
    if (!power) return [{ what: `${node} has power again`, state: change(state, node, { power: true }) }]
    if (net === 'linked') return []
    return [{ what: `${node} is connected again`, state: change(state, node, { net: 'linked' }) }]
  })
  if (!state.consul.elected)
    steps.push({ what: "Consul's servers have a leader again", state: tellConsul(state, { elected: true }) })
  return steps
}
