import type { Leadership } from '../../../../lib/consul/leadership.ts'
import { type ElectionRule, NOBODY } from '../../../../lib/postgresql/decide-durability.ts'
import { lock, published } from '../../support/documents.ts'
import type { Consul, Node, Session, State } from './state.ts'

export const nodeOf = (session: Session): Node => session.slice(0, 2) as Node

/** The sessions of a machine that may hold the lock. One that does not hold it makes no difference, and is left out. */
export const sessionsOf = ({ consul }: State, node: Node): Session[] =>
  consul.holder !== null && nodeOf(consul.holder) === node ? [consul.holder] : []

/** Of the indices only equality matters, and it only between the lock and what was published under it. */
export function leadershipOf({ consul }: State): Leadership {
  const { holder, last, primary, current } = consul
  return {
    leader: lock(last, holder, 1),
    primary: published(primary.node, primary.timeline, current ? 1 : 0),
  }
}

export const tellConsul = (state: State, consul: Partial<Consul>): State => ({
  ...state,
  consul: { ...state.consul, ...consul },
})

/** The lock is taken. Its indices grow, so that what was published before is no longer current. */
export const acquire = (state: State, session: Session): State =>
  tellConsul(state, { holder: session, last: nodeOf(session), current: false })

/** Given back, or its session has ended, with lock-delay 0. */
export const release = (state: State): State => tellConsul(state, { holder: null })

export const writeSync = (state: State, node: Node, { voters, need }: ElectionRule, waits: boolean): State =>
  tellConsul(state, { sync: { schema: 1, node, voters: [...voters], need, waits } })

/** A new primary is for a time the only one that may lead. */
export function publish(state: State, node: Node, timeline: number): State {
  const { primary } = state.consul
  const next = tellConsul(state, { primary: { node, timeline }, current: true })
  return primary.node === node && primary.timeline === timeline ? next : writeSync(next, node, NOBODY, false)
}
