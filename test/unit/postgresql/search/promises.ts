import { nodeOf } from './consul.ts'
import { ruleOf } from './rule.ts'
import type { Rules } from './rules.ts'
import { standbysOf } from './sight.ts'
import { asksConsul, hasMajority, type Machine, NODES, type Node, type State } from './state.ts'
import { begins, ownWrites, timeline, writer } from './wal.ts'

const named = (rule: string, node: Node): boolean => ruleOf(rule).standbys.includes(node)

/** Do commits return on this machine, if the standbys have received so much? Each WAL sender goes by the rule that it has read. */
function commitsReturn(state: State, node: Node, has: (standby: Node) => boolean): boolean {
  const { machines } = state
  const { power, role, served, waits } = machines[node]
  if (!power || role !== 'primary' || !served) return false
  const standbys = standbysOf(state, node).filter(has)
  return (
    !waits ||
    standbys.some((one) => {
      const rule = machines[one].sender ?? ''
      const counted = standbys.filter((other) => named(rule, other)).length
      return named(rule, one) && counted >= ruleOf(rule).count
    })
  )
}

/** Everything is acknowledged as soon as it may be. */
export function acknowledge(state: State): State {
  const { machines } = state
  let { acknowledged } = state
  for (const node of NODES) {
    const { wal, role } = machines[node]
    if (role !== 'primary' || writer(wal) !== node) continue
    for (const write of ownWrites(wal))
      if (
        !acknowledged.includes(write) &&
        commitsReturn(state, node, (one) => machines[one].wal.includes(write))
      )
        acknowledged += write
  }
  return acknowledged === state.acknowledged
    ? state
    : { ...state, acknowledged: [...acknowledged].sort().join('') }
}

const doesNotWait = ({ power, role, waits }: Machine): boolean => power && role === 'primary' && !waits

/** Which promise is broken in this state, or null. */
export function broken(state: State, { saysWaits }: Rules): string | null {
  const { machines, consul, acknowledged } = state
  const acknowledging = NODES.filter((node) => commitsReturn(state, node, () => true))
  if (acknowledging.length > 1) return `S1: ${acknowledging.join(' and ')} acknowledge`
  const { node: writer, voters, waits } = consul.sync
  const [said] = NODES.filter((node) => node === writer && machines[node].served)
  if (saysWaits && waits && voters.length > 0 && said && doesNotWait(machines[said]))
    return `S6: ${said} may be written to without its lock, and commits do not wait there`
  const leader = consul.primary.node
  for (const write of acknowledged)
    if (!machines[leader].wal.includes(write)) return `S2: ${leader} leads without write ${write}`
  for (const node of NODES)
    for (const standby of standbysOf(state, node))
      if (!begins(machines[standby].wal, machines[node].wal))
        return `S4: ${standby} streams what does not fit`
  return null
}

/** A published primary holds the lock, and commits return. */
export function serves(state: State): boolean {
  const { machines, consul } = state
  const { node, timeline: on } = consul.primary
  if (!consul.current || consul.holder === null || nodeOf(consul.holder) !== node) return false
  return (
    asksConsul(state, node) && timeline(machines[node].wal) === on && commitsReturn(state, node, () => true)
  )
}

/** Consul has a majority that can find a primary: the published one, or as many voters as an election needs. */
export function mayServe(state: State): boolean {
  const { primary, sync } = state.consul
  if (!hasMajority(state)) return false
  const voters = NODES.filter((node) => sync.voters.includes(node) && asksConsul(state, node))
  return asksConsul(state, primary.node) || (voters.length > 0 && voters.length >= sync.need)
}
