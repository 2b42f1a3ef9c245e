import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  type BrokerData,
  type BrokerNode,
  decideRabbitmq,
  type RabbitmqFacts,
} from '../../../lib/rabbitmq/decide.ts'
import {
  type BrokerGateFacts,
  type BrokerGatePlan,
  decideBrokerGate,
} from '../../../lib/rabbitmq/decide-gate.ts'
import type { ClusterDocument } from '../../../lib/rabbitmq/manifest.ts'
import { table } from '../support/table.ts'

const cluster: ClusterDocument = { schema: 1, series: '4.0', founder: 'n1', founded: true }
const is = (state: BrokerNode['state'], incarnation = 'a'): BrokerNode => ({ state, incarnation })
const others: readonly [string, BrokerNode][] = [
  ['n1', is('member', '1')],
  ['n3', is('member', '3')],
]
const nodes = (own?: BrokerNode): ReadonlyMap<string, BrokerNode> =>
  new Map([...others, ...(own === undefined ? [] : [['n2', own] as const])])
const names = new Map([
  ['n1', '10.77.0.11'],
  ['n2', '10.77.0.12'],
])
const blank: BrokerData = { state: 'blank' }
const unmarked: BrokerData = { state: 'unmarked' }
const marked = (incarnation = 'a'): BrokerData => ({ state: 'marked', incarnation })

/** n2 is a member in order, and has the lock. */
const member: RabbitmqFacts = {
  node: 'n2',
  series: '4.0',
  data: marked(),
  unit: 'active',
  names,
  known: names,
  cluster,
  nodes: nodes(is('member')),
  accepting: new Set(['n1', 'n2', 'n3']),
  lock: 'ours',
  startingMs: null,
  view: { running: ['n1', 'n2', 'n3'], partitionedFrom: [] },
  recorded: ['n1', 'n2', 'n3'],
  alive: new Set(['n1', 'n2', 'n3']),
}

describe('rabbitmq: one step', () => {
  table(decideRabbitmq, { ...member, lock: 'free' }, [
    ['a member', {}, { do: 'nothing', why: 'as they did' }],
    ['a member that has worked', { lock: 'ours' }, { do: 'unlock', why: 'as they did' }],
    ['a member while another one works', { lock: 'taken' }, { do: 'nothing', why: 'as they did' }],
    [
      'a member whose broker a person has stopped',
      { unit: 'inactive' },
      { do: 'nothing', why: 'as they did' },
    ],
    [
      'a member that has to be repaired: the lock first',
      { view: { running: ['n2'], partitionedFrom: ['n1', 'n3'] } },
      { do: 'lock', why: 'without each other' },
    ],
    ...(['cluster', 'nodes', 'names', 'lock'] as const).map(
      (what) =>
        [`${what} unknown`, { [what]: UNKNOWN }, { do: 'wait', why: 'Consul does not answer' }] as const,
    ),
    [
      'a new member in the cluster',
      { known: new Map([['n2', '10.77.0.12']]) },
      { do: 'names', why: 'have changed', names },
    ],
    [
      'a new address of a member',
      { known: new Map([...names, ['n1', '10.77.0.99']]) },
      { do: 'names', why: 'have changed', names },
    ],
    [
      'the other release of Debian',
      { series: '3.10', nodes: nodes(), data: blank },
      { do: 'later', why: 'RabbitMQ 3.10 is installed here, and the cluster has 4.0' },
    ],
  ])
})

describe('rabbitmq: founding', () => {
  const founding: RabbitmqFacts = {
    ...member,
    node: 'n1',
    data: blank,
    unit: 'inactive',
    cluster: { ...cluster, founded: false },
    nodes: new Map(),
    accepting: new Set(),
  }
  const own = (node: BrokerNode) => ({ nodes: new Map([['n1', node]]) })
  table(decideRabbitmq, founding, [
    [
      'nobody has a broker: the lock first',
      { cluster: null, lock: 'free' },
      { do: 'lock', why: 'no cluster' },
    ],
    ['nobody has a broker', { cluster: null }, { do: 'claim', why: 'no cluster' }],
    ['another one founds', { node: 'n2' }, { do: 'wait', why: 'n1 founds' }],
    ['ours to found', {}, { do: 'announce', why: 'may start anew', state: 'starting' }],
    ['announced', own(is('starting')), { do: 'start', why: 'starts anew' }],
    ['booting', { ...own(is('starting')), unit: 'activating' }, { do: 'wait', why: 'is starting' }],
    [
      'it runs',
      { ...own(is('starting')), unit: 'active', data: unmarked },
      { do: 'found', why: 'first broker' },
    ],
    [
      'founded and marked, but not yet said so',
      { ...own(is('starting')), unit: 'active', data: marked() },
      { do: 'found', why: 'first broker' },
    ],
    [
      'founded',
      { ...own(is('starting')), unit: 'active', data: marked(), cluster },
      { do: 'announce', why: 'has joined', state: 'joined' },
    ],
    [
      'joined',
      { ...own(is('joined')), unit: 'active', data: marked(), cluster },
      { do: 'grow', why: 'no copy' },
    ],
    ['the disk was emptied meanwhile', own(is('starting')), { do: 'start', why: 'starts anew' }],
  ])
})

describe('rabbitmq: joining', () => {
  const joining: RabbitmqFacts = { ...member, data: blank, unit: 'inactive', nodes: nodes() }
  table(decideRabbitmq, joining, [
    ['new: the lock first', { lock: 'free' }, { do: 'lock', why: 'may start anew' }],
    ['new, and another one joins', { lock: 'taken' }, { do: 'wait', why: 'another machine is at work' }],
    ['new', {}, { do: 'announce', why: 'may start anew', state: 'starting' }],
    ['new, and nobody to join', { accepting: new Set(), lock: 'free' }, { do: 'wait', why: 'no member' }],
    ['it runs before it may', { unit: 'active' }, { do: 'stop', why: 'before it may' }],
    ['data of nobody', { data: unmarked }, { do: 'put-aside', why: 'knows nothing' }],
    [
      'forgotten, with its old data',
      { data: marked(), nodes: nodes(is('forgotten')) },
      { do: 'put-aside', why: 'knows nothing' },
    ],
    ['may start', { nodes: nodes(is('starting')) }, { do: 'start', why: 'starts anew' }],
    [
      'runs',
      { nodes: nodes(is('starting')), unit: 'active', data: unmarked },
      { do: 'announce', why: 'runs', state: 'joining' },
    ],
    [
      'nobody to join',
      { nodes: nodes(is('starting')), unit: 'active', data: unmarked, accepting: new Set(['n2']) },
      { do: 'unlock', why: 'no member' },
    ],
    [
      'Consul does not say whom to join',
      { nodes: nodes(is('starting')), unit: 'active', data: unmarked, accepting: UNKNOWN, lock: 'free' },
      { do: 'later', why: 'no member' },
    ],
    [
      'joins the first that runs',
      { nodes: nodes(is('joining')), unit: 'active', data: unmarked, accepting: new Set(['n2', 'n3']) },
      { do: 'join', why: 'through n3', through: 'n3' },
    ],
    [
      'interrupted before its mark, and restarted',
      { nodes: nodes(is('joining')), data: unmarked },
      { do: 'start', why: 'starts anew' },
    ],
    [
      'marked',
      { nodes: nodes(is('joining')), unit: 'active', data: marked() },
      { do: 'announce', why: 'has joined', state: 'joined' },
    ],
    [
      'its queues',
      { nodes: nodes(is('joined')), unit: 'active', data: marked() },
      { do: 'grow', why: 'no copy' },
    ],
    [
      'off again before they grew',
      { nodes: nodes(is('joined')), data: marked() },
      { do: 'start', why: 'its data' },
    ],
  ])
})

describe('rabbitmq: lost data', () => {
  const lost: RabbitmqFacts = { ...member, data: blank, unit: 'inactive' }
  table(decideRabbitmq, lost, [
    ['wiped', {}, { do: 'forget', why: 'n1 forgets it', through: 'n1' }],
    ['wiped, and runs all the same', { unit: 'active' }, { do: 'stop', why: 'lost' }],
    ['wiped, and tries to start', { unit: 'activating' }, { do: 'stop', why: 'lost' }],
    ['wiped while it joined', { nodes: nodes(is('joining')) }, { do: 'forget', why: 'n1', through: 'n1' }],
    ['with a disk of another time', { data: marked('b') }, { do: 'forget', why: 'n1', through: 'n1' }],
    ['with data of nobody', { data: unmarked }, { do: 'forget', why: 'n1', through: 'n1' }],
    ['nobody runs that could forget it', { accepting: new Set() }, { do: 'unlock', why: 'no other member' }],
    [
      'the only broker',
      { nodes: new Map([['n2', is('member')]]) },
      { do: 'announce', why: 'there is no other', state: 'forgotten' },
    ],
    [
      'the only broker begins again',
      { nodes: new Map([['n2', is('forgotten')]]) },
      { do: 'claim', why: 'the only broker' },
    ],
    ['while another one works', { lock: 'taken' }, { do: 'wait', why: 'another machine is at work' }],
  ])
})

/** Machines as far as the decisions see them, and what the brokers themselves believe. */
interface World {
  cluster: ClusterDocument | null
  docs: Map<string, BrokerNode>
  data: Map<string, BrokerData>
  units: Map<string, string>
  /** Those that the brokers of the cluster count on. */
  counted: Set<string>
  lock: string | null
  recorded: readonly string[] | null
  made: number
}

const MACHINES = ['n1', 'n2', 'n3']
const everyone = new Map(MACHINES.map((name) => [name, name]))

const runningIn = (world: World): string[] =>
  MACHINES.filter((name) => world.counted.has(name) && world.units.get(name) === 'active')

const factsOf = (world: World, node: string): RabbitmqFacts => ({
  node,
  series: '4.0',
  data: world.data.get(node) ?? blank,
  unit: world.units.get(node) ?? 'inactive',
  names: everyone,
  known: everyone,
  cluster: world.cluster,
  nodes: world.docs,
  accepting: new Set(MACHINES.filter((name) => world.units.get(name) === 'active')),
  lock: world.lock === null ? 'free' : world.lock === node ? 'ours' : 'taken',
  startingMs: null,
  view: world.units.get(node) === 'active' ? { running: runningIn(world), partitionedFrom: [] } : null,
  recorded: world.recorded,
  alive: new Set(MACHINES),
})

/** What systemd does: the gate decides. */
function boot(world: World, node: string): void {
  const data = world.data.get(node) ?? blank
  const gate = decideBrokerGate({ mode: 'clustered', data, own: world.docs.get(node) ?? null })
  if (gate.do === 'refuse') return
  assert.ok(
    data.state !== 'blank' || !world.counted.has(node),
    `${node} starts without data while the others count on it`,
  )
  world.units.set(node, 'active')
  if (data.state === 'blank') world.data.set(node, unmarked)
}

/** Carries out one step, or a half of it where the run is killed. @returns whether there is more to do. */
function step(world: World, node: string, killed: boolean): boolean {
  const plan = decideRabbitmq(factsOf(world, node))
  const mark = (): void => {
    const own = world.docs.get(node)
    if (own) world.data.set(node, marked(own.incarnation))
  }
  switch (plan.do) {
    case 'lock':
      world.lock = node
      break
    case 'unlock':
      world.lock = null
      return false
    case 'claim':
      world.cluster = { schema: 1, series: '4.0', founder: node, founded: false }
      break
    case 'announce':
      world.docs.set(node, {
        state: plan.state,
        incarnation:
          plan.state === 'starting' ? String(world.made++) : (world.docs.get(node)?.incarnation ?? ''),
      })
      break
    case 'start':
      boot(world, node)
      break
    case 'stop':
      world.units.set(node, 'inactive')
      break
    case 'put-aside':
      assert.ok(!world.counted.has(node), `${node} gives up data that the others count on`)
      world.data.set(node, blank)
      break
    case 'found':
      world.counted.add(node)
      mark()
      if (!killed && world.cluster) {
        world.cluster = { ...world.cluster, founded: true }
        world.docs.set(node, { ...(world.docs.get(node) ?? is('joined')), state: 'joined' })
      }
      break
    case 'join':
      assert.ok(world.counted.has(plan.through))
      world.counted.add(node)
      if (!killed) mark()
      break
    case 'grow':
      if (!killed) world.docs.set(node, { ...(world.docs.get(node) ?? is('joined')), state: 'member' })
      break
    case 'forget':
      world.counted.delete(node)
      if (!killed) world.docs.set(node, { ...(world.docs.get(node) ?? is('joined')), state: 'forgotten' })
      break
    case 'record':
      world.recorded = plan.running
      break
    default:
      return plan.do === 'wait'
  }
  return true
}

const WHAT = ['step', 'step', 'step', 'step', 'step', 'killed', 'wipe', 'off', 'boot'] as const
const events = fc.array(fc.record({ node: fc.constantFrom(...MACHINES), what: fc.constantFrom(...WHAT) }), {
  minLength: 60,
  maxLength: 200,
})

/** Everybody works undisturbed, one after the other. */
function settle(world: World): void {
  for (let round = 0; round < 60; round++) for (const node of MACHINES) step(world, node, false)
}

const fresh = (): World => ({
  ...{
    cluster: null,
    docs: new Map(),
    data: new Map(),
    units: new Map(),
    counted: new Set(),
    lock: null,
    recorded: null,
    made: 0,
  },
})

describe('rabbitmq: whatever happens', () => {
  test('no broker starts without data while the others count on it, and all become members in the end', () => {
    fc.assert(
      fc.property(events, (list) => {
        const world = fresh()
        for (const { node, what } of list) {
          if (what === 'step') step(world, node, false)
          else if (what === 'killed') step(world, node, true)
          else if (what === 'boot') boot(world, node)
          else {
            world.units.set(node, 'inactive')
            // The session goes with the machine.
            if (world.lock === node) world.lock = null
            const rest = MACHINES.filter(
              (name) =>
                name !== node &&
                world.docs.get(name)?.state === 'member' &&
                world.data.get(name)?.state === 'marked',
            )
            // Where all data of several brokers is lost, a person has to decide what is left.
            const more = [...world.docs].some(
              ([name, { state }]) => name !== node && ['joining', 'joined', 'member'].includes(state),
            )
            const alone = world.counted.size === 1 && world.counted.has(node) && !more
            if (what === 'wipe' && (rest.length > 0 || alone || !world.counted.has(node))) {
              world.data.set(node, blank)
              if (alone) world.counted.delete(node)
            }
          }
        }
        for (const node of MACHINES) boot(world, node)
        settle(world)
        const states = MACHINES.map((name) => world.docs.get(name)?.state)
        assert.deepEqual(states, ['member', 'member', 'member'], JSON.stringify([...world.docs]))
        assert.deepEqual([...world.counted].sort(), MACHINES)
        assert.equal(world.lock, null)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('rabbitmq: the start gate', () => {
  table<BrokerGateFacts, BrokerGatePlan>(
    decideBrokerGate,
    { mode: 'clustered', data: marked(), own: is('member') },
    [
      ['a member', {}, { do: 'start', why: 'has its data' }],
      ['no part of a cluster', { mode: null, data: blank, own: null }, { do: 'start', why: 'no part' }],
      ['local', { mode: 'local', data: blank, own: null }, { do: 'start', why: 'no part' }],
      ['a member without Consul', { own: UNKNOWN }, { do: 'start', why: 'has its data' }],
      ['no data, without Consul', { own: UNKNOWN, data: blank }, { do: 'refuse', why: 'does not say' }],
      ['wiped', { data: blank }, { do: 'refuse', why: 'not forgotten it yet' }],
      ['never a member', { data: blank, own: null }, { do: 'refuse', why: 'not forgotten it yet' }],
      ['allowed to begin', { data: blank, own: is('starting') }, { do: 'start', why: 'anew' }],
      ['begun', { data: unmarked, own: is('starting') }, { do: 'start', why: 'anew' }],
      ['half joined', { data: unmarked, own: is('joining') }, { do: 'start', why: 'anew' }],
      ['wiped while it joined', { data: blank, own: is('joining') }, { do: 'refuse', why: 'not forgotten' }],
      ['forgotten, with old data', { own: is('forgotten') }, { do: 'refuse', why: 'have forgotten' }],
      ['with data of another time', { own: is('member', 'b') }, { do: 'refuse', why: 'have forgotten' }],
    ],
  )
})
