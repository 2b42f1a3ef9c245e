/**
 * All states of three machines within bounds: the real decisions of failover, upkeep, fence, start gate, follow and rejoin, on a model
 * of Consul and PostgreSQL (docs/developer/model.md). The property tests beside it (*.model.test.ts) go further, at random.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explore } from './search/explore.ts'
import type { Outcome } from './search/graph.ts'
import {
  LEAVES_NO_MARK,
  NON_VOTERS_STAY,
  POINTS_BLINDLY,
  PUBLISHES_UNPROVEN,
  RULES,
  type Rules,
  SAYS_UNPROVEN,
  SETS_UNPROVEN,
  UNPUBLISHED_WAITS,
} from './search/rules.ts'
import { STARTS } from './search/starts.ts'
import type { Bounds } from './search/state.ts'

/** @param start a number of STARTS, from 1. */
function search(start: number, bounds: Partial<Bounds>, former: Partial<Rules> = {}): Outcome {
  const from = STARTS[start - 1] ?? assert.fail(`there is no start ${start}`)
  const left = { faults: 1, promotions: 2, writes: 1, ...bounds }
  return explore([from.begin(left)], { ...RULES, ...former })
}

describe('the promises are kept in every state', () => {
  const keeps = (start: number, bounds: Partial<Bounds>): void => {
    const { broken, trace, states } = search(start, bounds)
    assert.equal(broken, null, trace.join('\n'))
    assert.ok(states > 1000, `only ${states} states`)
  }
  for (const [index, { what }] of STARTS.entries())
    test(`that one fault and a write lead to, when ${what}`, () => keeps(index + 1, {}))

  // With a write as well there are too many states for a test.
  test('that two faults lead to, when all is in order', () => keeps(1, { faults: 2, writes: 0 }))
})

interface Former {
  what: string
  rules: Partial<Rules>
  start: number
  bounds: Partial<Bounds>
  broken: RegExp
  /** Some of the steps that lead to it, in their order. */
  by: readonly RegExp[]
}

const formers: readonly Former[] = [
  {
    what: 'voters are published before commits are seen to wait',
    rules: SETS_UNPROVEN,
    ...{ start: 3, bounds: {}, broken: /^S2: n[23] leads without write a/ },
    by: [/n1 sets "ANY 1/, /n1: elect 1 of/, /a client writes/, /is promoted/],
  },
  {
    what: 'a promotion is published before commits are seen to wait',
    rules: PUBLISHES_UNPROVEN,
    ...{ start: 1, bounds: { faults: 2, writes: 0 }, broken: /^S1: .* acknowledge/ },
    by: [/n2 is promoted/, /n2: publish/, /n2: elect/, /n[13] is promoted/],
  },
  {
    what: 'commits are said to wait before that is seen',
    rules: SAYS_UNPROVEN,
    ...{ start: 3, bounds: { writes: 0 }, broken: /^S6: n1 may be written to without its lock/ },
    by: [/n1 sets "ANY 1/, /n1: elect 1 of/],
  },
  {
    what: 'a machine whose promotion was not published waits for a primary',
    rules: UNPUBLISHED_WAITS,
    ...{ start: 1, bounds: { faults: 2, writes: 0 }, broken: /^S3: stuck/ },
    by: [/n2 is promoted/, /(n2 loses power|PostgreSQL on n2 dies)/],
  },
  {
    what: 'standbys that do not count stay, and the fence counts them',
    rules: NON_VOTERS_STAY,
    ...{ start: 2, bounds: { writes: 0 }, broken: /^S3: stuck/ },
    by: [/n3: streams from n1/, /Consul's agent on n1 dies/],
  },
  {
    what: 'a promotion that was not published leaves no mark',
    rules: LEAVES_NO_MARK,
    ...{ start: 1, bounds: { faults: 2, writes: 0 }, broken: /^S4: n[23] streams what does not fit/ },
    by: [/is promoted/, /is promoted/, /rejoin rewind/, /streams from/],
  },
  {
    what: 'replication is pointed at who led a while ago',
    rules: POINTS_BLINDLY,
    ...{ start: 1, bounds: { faults: 2, writes: 0 }, broken: /^S1: .* acknowledge/ },
    by: [/has lost the lock/, /(n2|n3): follow/, /is promoted/],
  },
]

describe('the search finds what was wrong where', () => {
  for (const { what, rules, start, bounds, broken, by } of formers)
    test(what, () => {
      const found = search(start, bounds, rules)
      assert.match(found.broken ?? 'nothing', broken)
      let from = 0
      for (const step of by) {
        const at = found.trace.findIndex((line, index) => index >= from && step.test(line))
        assert.ok(at >= 0, `no ${step} in\n${found.trace.join('\n')}`)
        from = at + 1
      }
    })
})
