import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideGiveWay,
  FAILING_MS,
  type GiveWayFacts,
  type GiveWayPlan,
  GRACE_MS,
  HEALTHY_MS,
  HOLD_MS,
  holdOf,
  LONGEST_HOLD_MS,
  type OtherMachine,
} from '../../../lib/services/decide-give-way.ts'
import type { Service, ServiceMoves } from '../../../lib/services/manifest.ts'
import { type Case, table } from '../support/table.ts'

const NOW_MS = Date.parse('2026-01-02T12:00:00.000Z')
const ago = (ms: number): string => new Date(NOW_MS - ms).toISOString()
const rest: Service = { unit: 'rest.service', check: 'tcp:1', run: 'active', givesWay: true }
const agent: Service = { unit: 'agent.service', check: null, run: 'everywhere', givesWay: true }
const other = (node: string, priority: number, change: Partial<OtherMachine> = {}): OtherMachine => ({
  ...{ node, priority, alive: true },
  states: { rest: 'elsewhere', agent: 'here' },
  checks: { agent: 'passing' },
  ...change,
})
const moved = (count: number, beforeMs: number, left: string[] = []): ServiceMoves => ({
  ...{ schema: 1, count, left },
  ...{ movedAt: ago(beforeMs), failedAt: ago(Math.min(beforeMs, 1000)) },
})
/** rest fails on n1, the active machine, and both others are fit. */
const base: GiveWayFacts = {
  ...{ node: 'n1', priority: 100, policy: 'with-primary' },
  list: { rest, agent },
  failing: { rest: FAILING_MS },
  activeMs: GRACE_MS,
  moves: null,
  others: [other('n2', 95), other('n3', 90)],
  standbys: ['n2', 'n3'],
  nowMs: NOW_MS,
}
const after = (count: number, left: string[]): { moves: ServiceMoves } => ({
  moves: { schema: 1, count, movedAt: ago(0), failedAt: ago(0), left },
})
const noted = (moves: Partial<ServiceMoves> = {}): { moves: ServiceMoves } => ({
  moves: { schema: 1, count: 0, movedAt: null, left: [], ...moves, failedAt: ago(0) },
})

const cases: readonly Case<GiveWayFacts, GiveWayPlan>[] = [
  ['Nothing fails', { failing: {} }, { do: 'nothing', why: 'no service' }],
  [
    'It has just begun to fail',
    { failing: { rest: FAILING_MS - 1 } },
    { do: 'watch', why: 'the service rest fails' },
  ],
  [
    'It goes on failing: the best standby takes over, with the database',
    {},
    { do: 'hand-over', why: 'n2 is to be the active machine', to: 'n2', ...after(1, ['n1']) },
  ],
  [
    'The machine has just become active',
    { activeMs: GRACE_MS - 1 },
    { do: 'nothing', why: 'has just become active' },
  ],
  [
    'The better one has no such unit',
    { others: [other('n2', 95, { states: { rest: 'missing', agent: 'here' } }), other('n3', 90)] },
    { do: 'hand-over', why: 'n3 is', to: 'n3', ...after(1, ['n1']) },
  ],
  [
    'The better one is dead',
    { others: [other('n2', 95, { alive: false }), other('n3', 90)] },
    { do: 'hand-over', why: 'n3 is', to: 'n3', ...after(1, ['n1']) },
  ],
  [
    'The better one may not be promoted, or lags',
    { standbys: ['n3'] },
    { do: 'hand-over', why: 'n3 is', to: 'n3', ...after(1, ['n1']) },
  ],
  [
    'No standby may be promoted',
    { standbys: [] },
    { do: 'note', why: 'no other machine is fit', ...noted() },
  ],
  [
    'One that runs everywhere fails here, and on the better one',
    {
      failing: { agent: FAILING_MS },
      others: [other('n2', 95, { checks: { agent: 'critical' } }), other('n3', 90)],
    },
    { do: 'hand-over', why: 'n3 is', to: 'n3', ...after(1, ['n1']) },
  ],
  [
    'One that runs everywhere fails everywhere',
    {
      failing: { agent: FAILING_MS },
      others: ['n2', 'n3'].map((node) => other(node, 90, { checks: { agent: 'critical' } })),
    },
    { do: 'note', why: 'no other machine is fit', ...noted() },
  ],
  [
    'Both others were left before',
    { moves: moved(2, HOLD_MS * 2, ['n2', 'n3']) },
    { do: 'nothing', why: 'no other machine is fit' },
  ],
  [
    'It moved a moment ago',
    { moves: moved(1, HOLD_MS - 1, ['n3']) },
    { do: 'nothing', why: 'the active role has moved less than 5 min ago' },
  ],
  [
    'It moved a moment ago, and that it fails was noted a while ago',
    { moves: { ...moved(1, HOLD_MS - 1, ['n3']), failedAt: ago(61_000) } },
    {
      do: 'note',
      why: 'less than 5 min ago',
      ...noted({ count: 1, movedAt: ago(HOLD_MS - 1), left: ['n3'] }),
    },
  ],
  [
    'It moved five minutes ago',
    { moves: moved(1, HOLD_MS, ['n3']) },
    { do: 'hand-over', why: 'n2 is', to: 'n2', ...after(2, ['n3', 'n1']) },
  ],
  [
    'The second time it stays for twice as long',
    { moves: moved(2, HOLD_MS, ['n3']) },
    { do: 'nothing', why: 'less than 10 min ago' },
  ],
  [
    'Nothing has failed for an hour: all is forgotten',
    { moves: { ...moved(5, HEALTHY_MS, ['n2', 'n3']), failedAt: ago(HEALTHY_MS) } },
    { do: 'hand-over', why: 'n2 is', to: 'n2', ...after(1, ['n1']) },
  ],
  [
    'The clock of another machine is ahead',
    { moves: moved(1, -HEALTHY_MS, ['n3']) },
    { do: 'nothing', why: 'less than 5 min ago' },
  ],
  [
    'The policy is fixed: the address goes to the highest priority',
    { policy: 'fixed', standbys: null },
    { do: 'yield', why: 'n2 is', to: 'n2', ...after(1, ['n1']) },
  ],
  [
    'The policy is fixed, and the highest priority is not fit: a weight could not pass it over',
    {
      ...{ policy: 'fixed', standbys: null },
      others: [other('n2', 95, { states: { agent: 'here', rest: 'missing' } }), other('n3', 90)],
    },
    { do: 'note', why: 'no other machine is fit', ...noted() },
  ],
  [
    'The policy is fixed, and the highest priority has given way before',
    {
      policy: 'fixed',
      standbys: null,
      node: 'n2',
      priority: 95,
      moves: moved(1, HOLD_MS, ['n1']),
      others: [other('n1', 100), other('n3', 90)],
    },
    { do: 'yield', why: 'n3 is', to: 'n3', ...after(2, ['n1', 'n2']) },
  ],
  ['Nobody else is there', { others: [], standbys: [] }, { do: 'note', why: 'no other', ...noted() }],
  ['Consul does not say who is there', { others: UNKNOWN }, { do: 'nothing', why: 'not known' }],
  ['Consul does not say what has moved', { moves: UNKNOWN }, { do: 'nothing', why: 'not known' }],
  ['The database does not say who streams', { standbys: UNKNOWN }, { do: 'nothing', why: 'not known' }],
]

describe('whether the active machine gives way', () => table(decideGiveWay, base, cases))

test('the active role stays for 5, 10, 20, 40 and then 60 minutes', () => {
  const minutes = [0, 1, 2, 3, 4, 5, 6, 100].map((count) => holdOf({ count }) / 60_000)
  assert.deepEqual(minutes, [0, 5, 10, 20, 40, 60, 60, 60])
})

describe('whatever is seen', () => {
  const state = fc.constantFrom('here' as const, 'elsewhere' as const, 'missing' as const)
  const check = fc.constantFrom('passing' as const, 'critical' as const)
  const machine = (node: string) =>
    fc.record({
      node: fc.constant(node),
      priority: fc.integer({ min: 1, max: 100 }),
      alive: fc.boolean(),
      states: fc.option(fc.record({ rest: state, agent: state })),
      checks: fc.record({ agent: check }, { requiredKeys: [] }),
    })
  const moves = fc.record({
    schema: fc.constant(1 as const),
    count: fc.nat({ max: 10 }),
    movedAt: fc.option(fc.integer({ min: 0, max: 2 * HEALTHY_MS }).map(ago)),
    failedAt: fc.option(fc.integer({ min: 0, max: 2 * HEALTHY_MS }).map(ago)),
    left: fc.subarray(['n1', 'n2', 'n3']),
  })
  const facts: fc.Arbitrary<GiveWayFacts> = fc.record({
    node: fc.constant('n1'),
    priority: fc.integer({ min: 1, max: 100 }),
    policy: fc.constantFrom('with-primary' as const, 'fixed' as const),
    list: fc.constant({ rest, agent }),
    failing: fc.constantFrom({}, { rest: FAILING_MS }, { agent: 2 * FAILING_MS }, { rest: 0, agent: 0 }),
    activeMs: fc.constantFrom(0, GRACE_MS, 10 * GRACE_MS),
    moves: fc.oneof(fc.constant(null), fc.constant(UNKNOWN), moves),
    others: fc.oneof(fc.constant(UNKNOWN), fc.tuple(machine('n2'), machine('n3'))),
    standbys: fc.oneof(fc.constant(UNKNOWN), fc.subarray(['n2', 'n3'])),
    nowMs: fc.constant(NOW_MS),
  })

  test('the role never moves to nowhere, to a dead or unfit machine, or too early', () => {
    fc.assert(
      fc.property(facts, (seen) => {
        const plan = decideGiveWay(seen)
        if (plan.do !== 'yield' && plan.do !== 'hand-over') return
        assert.ok(seen.others !== UNKNOWN && seen.moves !== UNKNOWN)
        const to = seen.others.find(({ node }) => node === plan.to)
        assert.ok(to?.alive && to.states !== null && to.states['rest'] !== 'missing')
        if (plan.do === 'hand-over')
          assert.ok(Array.isArray(seen.standbys) && seen.standbys.includes(to.node))
        if (Object.hasOwn(seen.failing, 'agent')) assert.equal(to.checks['agent'], 'passing')
        assert.ok(Math.max(...Object.values(seen.failing)) >= FAILING_MS && seen.activeMs >= GRACE_MS)
        const { movedAt, failedAt, left = [] } = seen.moves ?? { movedAt: null, failedAt: null }
        const remembered = failedAt !== null && NOW_MS - Date.parse(failedAt) < HEALTHY_MS
        if (!remembered) return
        assert.ok(movedAt === null || seen.moves?.count === 0 || NOW_MS - Date.parse(movedAt) >= HOLD_MS)
        assert.ok(!left.includes(to.node), 'it fails back')
      }),
      { numRuns: 5000 },
    )
  })
})

test('a service that fails wherever it runs moves at most once to each machine, and stays somewhere', () => {
  const priorities: Record<string, number> = { n1: 100, n2: 95, n3: 90 }
  for (const policy of ['with-primary', 'fixed'] as const) {
    let active = 'n1'
    let moves: ServiceMoves | null = null
    const visited = [active]
    for (let nowMs = NOW_MS; nowMs < NOW_MS + 24 * 3600_000; nowMs += 15_000) {
      const names = Object.keys(priorities).filter((node) => node !== active)
      const plan = decideGiveWay({
        ...{ ...base, policy, node: active, priority: priorities[active] ?? 0, moves, nowMs },
        others: names.map((node) => other(node, priorities[node] ?? 0)),
        standbys: policy === 'fixed' ? null : names,
        activeMs: 10 * LONGEST_HOLD_MS,
      })
      if (plan.moves) moves = plan.moves
      if (plan.to === undefined) continue
      active = plan.to
      visited.push(active)
    }
    assert.deepEqual(visited, ['n1', 'n2', 'n3'], policy)
  }
})
