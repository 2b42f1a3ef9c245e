import { faults, returns } from './faults.ts'
import { Graph, type Outcome } from './graph.ts'
import { act, failover, fence, replication, startGate } from './handlers.ts'
import { broken } from './promises.ts'
import type { Rules } from './rules.ts'
import { database, sessions } from './servers.ts'
import { NODES, type State, type Step } from './state.ts'
import { keepUp } from './upkeep.ts'

/** What the machines do by themselves. */
const doings = (state: State, rules: Rules): Step[] => [
  ...NODES.flatMap((node) => [
    ...failover(state, node, rules),
    ...act(state, node, rules),
    ...keepUp(state, node, rules),
    ...startGate(state, node),
    ...replication(state, node, rules),
    ...fence(state, node, rules),
    ...database(state, node),
  ]),
  ...sessions(state),
]

/**
 * Every state that can be reached from the starts, breadth first, until a promise is broken. The bounds stand in the starts; what they
 * and the model leave out is in docs/developer/model.md.
 */
export function explore(starts: readonly State[], rules: Rules): Outcome {
  const graph = new Graph()
  for (const [index, start] of starts.entries()) graph.add({ what: `start ${index + 1}`, state: start }, -1)
  for (let at = 0; at < graph.states.length; at += 1) {
    const state = graph.state(at)
    const said = broken(state, rules)
    if (said !== null) return graph.outcome(said, at)
    graph.begin()
    for (const step of doings(state, rules)) if (step.state !== state) graph.follows(graph.add(step, at))
    for (const step of [...faults(state), ...returns(state)]) graph.add(step, at)
  }
  const stuck = graph.firstStuck()
  return stuck < 0
    ? graph.outcome(null, -1)
    : graph.outcome('S3: stuck, though a majority may find a primary', stuck)
}
