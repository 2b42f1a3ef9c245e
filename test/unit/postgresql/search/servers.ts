import { nodeOf, release } from './consul.ts'
import { asksConsul, change, hasMajority, type Node, reaches, type State, type Step } from './state.ts'
import { lineageBetween } from './wal.ts'

/** What PostgreSQL does by itself, as late as it likes. */
export function database(state: State, node: Node): Step[] {
  const { machines, left } = state
  const { power, role, rule, waits, served, wal, upstream, sender } = machines[node]
  const step = (what: string, next: State): Step => ({ what: `${node}: ${what}`, state: next })
  if (!power || role === 'down') return []
  if (role === 'primary') {
    const steps: Step[] = []
    if (waits !== (rule !== ''))
      steps.push(step(`the checkpointer reads "${rule}"`, change(state, node, { waits: !waits })))
    if (served && left.writes > 0) {
      const write = String.fromCharCode('a'.charCodeAt(0) + left.writes - 1)
      const next = { ...state, left: { ...left, writes: left.writes - 1 } }
      steps.push(step(`a client writes ${write}`, change(next, node, { wal: wal + write })))
    }
    return steps
  }
  if (upstream === null || !reaches(state, node, upstream)) return []
  const primary = machines[upstream]
  if (primary.role !== 'primary') return []
  if (sender === null) {
    // A promotion leaves no slot to anyone until it is published.
    if (!primary.served || wal.length > primary.wal.length) return []
    if (lineageBetween(wal, primary.wal) !== 'follows') return []
    return [step(`streams from ${upstream}`, change(state, node, { sender: primary.rule }))]
  }
  const steps: Step[] = []
  if (wal !== primary.wal) steps.push(step('receives', change(state, node, { wal: primary.wal })))
  if (sender !== primary.rule)
    steps.push(step(`its WAL sender reads "${primary.rule}"`, change(state, node, { sender: primary.rule })))
  return steps
}

/** Consul ends the session of a machine or a database that is gone, or of a start that takes too long. */
export function sessions(state: State): Step[] {
  const { holder } = state.consul
  if (holder === null || !hasMajority(state)) return []
  const node = nodeOf(holder)
  const lives = asksConsul(state, node) && state.machines[node].role !== 'down'
  return lives && holder.endsWith('leader')
    ? []
    : [{ what: `the session of ${node} ends`, state: release(state) }]
}
