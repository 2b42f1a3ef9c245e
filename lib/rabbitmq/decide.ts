import type { Plan } from '../core/reconciler.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type BrokerRepair, decideRepair, type RepairFacts } from './decide-repair.ts'
import type { ClusterDocument, NodeState } from './manifest.ts'

/**
 * What is in the broker's data directory: nothing; data without our mark, which the broker makes at every blank start; or that of
 * a member, marked with the incarnation under which it joined.
 */
export type BrokerData = { state: 'blank' | 'unmarked' } | { state: 'marked'; incarnation: string }

/** What Consul holds about the broker of a machine. */
export interface BrokerNode {
  state: NodeState
  incarnation: string
}

export interface RabbitmqFacts extends Omit<RepairFacts, 'members'> {
  data: BrokerData
  /** Names and addresses of all members that Erlang is to know. */
  names: ReadonlyMap<string, string> | Unknown
  /** Those that it knows. */
  known: ReadonlyMap<string, string>
  /** null: there is no cluster of brokers yet. */
  cluster: ClusterDocument | null | Unknown
  nodes: ReadonlyMap<string, BrokerNode> | Unknown
  /** Members whose machine is alive and whose broker accepts connections, as Consul says. */
  accepting: ReadonlySet<string> | Unknown
  /** Who has the right to change the membership. */
  lock: 'ours' | 'free' | 'taken' | Unknown
}

/**
 * One step towards a broker that is a member. `wait` is over soon; with `later`, it is for another event or a person to go on.
 */
export type RabbitmqPlan = Plan &
  (
    | { do: 'nothing' | 'wait' | 'later' | 'lock' | 'unlock' }
    | { do: 'claim' | 'start' | 'stop' | 'found' | 'grow' | 'put-aside' }
    | { do: 'names'; names: ReadonlyMap<string, string> }
    | { do: 'announce'; state: NodeState }
    | { do: 'join' | 'forget'; through: string }
    | BrokerRepair
  )

const RUNNING = ['active', 'reloading']

/**
 * The next step on this machine; it is decided anew after each. What changes who is a member is done under the lock, one machine
 * at a time. The first line that fits is the plan.
 */
export function decideRabbitmq(facts: RabbitmqFacts): RabbitmqPlan {
  const { series, cluster, nodes, names, known, lock } = facts
  if (cluster === UNKNOWN || nodes === UNKNOWN || names === UNKNOWN || lock === UNKNOWN)
    return { do: 'wait', why: 'Consul does not answer' }
  if (!sameNames(names, known)) return { do: 'names', why: 'the members have changed', names }
  if (cluster !== null && cluster.series !== series)
    return {
      do: 'later',
      why: `RabbitMQ ${series} is installed here, and the cluster has ${cluster.series}; brokers of two releases cannot be one cluster`,
    }
  const plan = decideMembership(facts, cluster, nodes)
  // What needs the lock waits for it; where nothing does, it is given back.
  if (CHANGES.includes(plan.do)) {
    if (lock === 'free') return { do: 'lock', why: plan.why }
    if (lock === 'taken')
      return { do: 'wait', why: `another machine is at work, before this one: ${plan.why}` }
  } else if (lock === 'ours' && (plan.do === 'nothing' || plan.do === 'later'))
    return { do: 'unlock', why: plan.why }
  return plan
}

const CHANGES: readonly RabbitmqPlan['do'][] = [
  'claim',
  'start',
  'stop',
  'found',
  'grow',
  'put-aside',
  'announce',
  'join',
  'forget',
  'restart-app',
  'force-boot',
]

function decideMembership(
  facts: RabbitmqFacts,
  cluster: ClusterDocument | null,
  nodes: ReadonlyMap<string, BrokerNode>,
): RabbitmqPlan {
  const { node, data, unit, accepting, lock } = facts
  const own = nodes.get(node) ?? null
  const runs = RUNNING.includes(unit)
  const isOurs = data.state === 'marked' && data.incarnation === own?.incarnation
  if (cluster === null) return { do: 'claim', why: 'there is no cluster of brokers yet' }
  if (!cluster.founded && cluster.founder !== node)
    return { do: 'wait', why: `${cluster.founder} founds the cluster of brokers` }

  const through = firstOther(node, nodes, accepting)
  const isAlone = ![...nodes].some(
    ([name, { state }]) => name !== node && (isIn(state) || state === 'joining'),
  )
  // Nothing was ever in the cluster from here, or the others have forgotten it.
  if (own === null || own.state === 'forgotten') {
    if (runs) return { do: 'stop', why: 'the broker runs before it may' }
    if (data.state !== 'blank')
      return { do: 'put-aside', why: 'the broker has data of which the cluster knows nothing' }
    if (cluster.founded && isAlone)
      return { do: 'claim', why: 'the only broker of the cluster has lost its data' }
    // The one that runs next may need the lock for it.
    if (cluster.founded && through === null)
      return { do: lock === 'ours' ? 'later' : 'wait', why: 'no member whose broker runs can be reached' }
    return { do: 'announce', state: 'starting', why: 'the broker may start anew' }
  }
  if (isOurs && own.state === 'member') {
    const members = [...nodes].flatMap(([name, { state }]) => (isIn(state) ? [name] : []))
    const repair = decideRepair({ ...facts, members })
    // What it waits for may need the lock itself.
    return repair.do === 'wait' && lock === 'ours' ? { do: 'later', why: repair.why } : repair
  }
  // A run was ended between the mark and its announcement.
  if (isOurs && own.state !== 'joined' && cluster.founded)
    return { do: 'announce', state: 'joined', why: 'the broker has joined' }

  const isAnew =
    own.state === 'starting' ? data.state !== 'marked' : own.state === 'joining' && data.state === 'unmarked'
  if (isOurs || isAnew) {
    if (unit === 'activating') return { do: 'wait', why: 'the broker is starting' }
    if (!runs) return { do: 'start', why: isOurs ? 'the broker has its data' : 'the broker starts anew' }
    if (!cluster.founded) return { do: 'found', why: 'the first broker runs' }
    if (isOurs) return { do: 'grow', why: 'the queues of the cluster have no copy here yet' }
    if (isAlone) return { do: 'claim', why: 'the only broker of the cluster has lost its data' }
    if (through === null) return { do: 'later', why: 'no member whose broker runs can be reached' }
    return own.state === 'starting'
      ? { do: 'announce', state: 'joining', why: 'the broker runs' }
      : { do: 'join', through, why: `the broker joins through ${through}` }
  }

  // It was a member, or was about to become one, and its data is not what it was: gone, half of it, or of another time.
  if (isAlone)
    return {
      do: 'announce',
      state: 'forgotten',
      why: 'the data of this broker is lost, and there is no other',
    }
  if (through === null)
    return {
      do: 'later',
      why: 'the data of this broker is lost, and no other member runs that could forget it',
    }
  if (runs || unit === 'activating') return { do: 'stop', why: 'the data of this broker is lost' }
  return { do: 'forget', through, why: `the data of this broker is lost: ${through} forgets it` }
}

/** A member whose broker runs, other than this one: always the same, so that all ask the same one. */
function firstOther(
  node: string,
  nodes: ReadonlyMap<string, BrokerNode>,
  accepting: ReadonlySet<string> | Unknown,
): string | null {
  if (accepting === UNKNOWN) return null
  const members = [...nodes].filter(
    ([name, { state }]) => name !== node && isIn(state) && accepting.has(name),
  )
  return members.map(([name]) => name).sort()[0] ?? null
}

/** Has a broker in this state a place in the cluster? */
const isIn = (state: NodeState): boolean => state === 'joined' || state === 'member'

/** Do two lists of names say the same? */
export const sameNames = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([name, address]) => b.get(name) === address)
