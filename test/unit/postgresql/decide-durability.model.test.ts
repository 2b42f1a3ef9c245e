/**
 * The two rules: what holds for one decision from any state, and what holds for several machines, with every step
 * interleaved with crashes, cut links, late writes and elections.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import {
  commitRule,
  type DurabilityFacts,
  type DurabilityPlan,
  decideDurability,
  isSafe,
  isSynchronous,
  NO_WAIT,
  NOBODY,
} from '../../../lib/postgresql/decide-durability.ts'
import { RULES, type Rules } from './model/durability-cluster.ts'
import { after, anyCommit, anyElection, anyFacts, anySight, subsets, walk } from './model/durability-rules.ts'
import { play, run, settle } from './model/durability-steps.ts'

/** With a commit rule, an election rule, and a bridge between. */
const MOST_STEPS = 4

/**
 * What is safe stays safe. Where commits do not wait by the mode, or with so few members, a standby may be named all the same:
 * once they have stopped waiting.
 */
const maySucceed = (before: DurabilityFacts, facts: DurabilityFacts): boolean =>
  isSafe(facts.commit, facts.election) ||
  !isSafe(before.commit, before.election) ||
  (!isSynchronous(facts.mode, facts.members.length) && before.commit.count + facts.commit.count === 0)

describe('the rules of durability', () => {
  test('they are safe together exactly if each set that commits meets each set that elects', () => {
    fc.assert(
      fc.property(anyCommit, anyElection, (commit, election) => {
        const { voters, need } = election
        // Without voters nobody is elected.
        const electing = voters.length === 0 ? [] : subsets(voters, need)
        const meet = subsets(commit.standbys, commit.count).every((committed) =>
          electing.every((elected) => elected.some((name) => committed.includes(name))),
        )
        assert.equal(isSafe(commit, election), meet)
      }),
      { numRuns: 5000 },
    )
  })

  test('from any state there is an end, and what is safe stays safe on the way', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const stops = walk(decideDurability, given)
        assert.ok(stops.length - 1 <= MOST_STEPS, `${stops.length - 1} steps`)
        let before = given
        for (const { plan, facts } of stops) {
          assert.ok(maySucceed(before, facts), `not safe after ${JSON.stringify(plan)}`)
          before = facts
        }
      }),
      { numRuns: 10_000 },
    )
  })

  test('with all that stream level, commits wait for the larger half of them, and each majority may elect', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const standbys = given.members.slice(1).filter((name) => given.streaming.includes(name))
        fc.pre(standbys.length > 0 && isSynchronous(given.mode, given.members.length))
        const end = walk(decideDurability, { ...given, level: standbys }).at(-1)?.facts
        const commit = commitRule(standbys)
        assert.deepEqual(end?.commit, commit)
        assert.deepEqual(end.election, { voters: standbys, need: standbys.length - commit.count + 1 })
      }),
      { numRuns: 2000 },
    )
  })

  test('what is safe stays safe while the facts change after every step', () => {
    fc.assert(
      fc.property(anyFacts, fc.array(anySight, { maxLength: 10 }), (given, sights) => {
        fc.pre(isSafe(given.commit, given.election))
        let facts = given
        for (const sight of sights) {
          const before = { ...facts, ...sight }
          facts = after(before, decideDurability(before))
          assert.ok(maySucceed(before, facts), JSON.stringify(facts))
        }
      }),
      { numRuns: 5000 },
    )
  })

  test('each set that may elect after a step contains a member that is level', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const plan = decideDurability(given)
        fc.pre(isSynchronous(given.mode, given.members.length) && plan.do === 'elect')
        const { voters, need } = plan.election
        fc.pre(voters.length > 0)
        for (const electing of subsets(voters, need))
          assert.ok(electing.some((name) => given.level.includes(name)))
      }),
      { numRuns: 2000 },
    )
  })

  test('commits that wait stop waiting only in a primary that is alone, and never where the mode is strict', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const plan = decideDurability(given)
        if (!isSynchronous(given.mode, given.members.length)) return
        if (plan.do !== 'commit' || plan.commit.count > 0) return
        assert.ok(given.alone)
        assert.equal(given.mode, 'quorum')
      }),
      { numRuns: 5000 },
    )
  })
})

describe('durability on several machines', () => {
  test('no acknowledged commit is lost, nothing is unsafe, and a replaced primary acknowledges nothing', () => {
    fc.assert(
      fc.property(run, (given) => {
        play(given, RULES)
      }),
      { numRuns: 4000 },
    )
  })

  test('with all machines back every member counts', () => {
    fc.assert(
      fc.property(run, (given) => {
        const cluster = play(given, RULES)
        settle(cluster)
        const { published, members, consul } = cluster
        const others = members.filter((node) => node !== published.node)
        const commit = cluster.waits ? commitRule(others) : NO_WAIT
        const need = cluster.waits ? others.length - commit.count + 1 : 1
        assert.deepEqual(published.commit, commit)
        assert.deepEqual(consul.election, { voters: others, need })
      }),
      { numRuns: 1000 },
    )
  })
})

/** The steps of a decision that thinks of where to go and not of the way. */
const straight =
  (first: 'commit' | 'elect'): Rules['decide'] =>
  (facts) => {
    const standbys = [...facts.streaming].sort()
    const commit = standbys.length > 0 ? commitRule(standbys) : NO_WAIT
    const election =
      standbys.length > 0 ? { voters: standbys, need: standbys.length - commit.count + 1 } : NOBODY
    const plans: DurabilityPlan[] = []
    if (!isDeepStrictEqual(facts.commit, commit)) plans.push({ do: 'commit', why: '', commit })
    if (!isDeepStrictEqual(facts.election, election)) plans.push({ do: 'elect', why: '', election })
    return plans.find((one) => one.do === first) ?? plans[0] ?? { do: 'nothing', why: '' }
  }

const hasty: Rules['decide'] = (facts) =>
  facts.streaming.length === 0 ? { do: 'commit', why: '', commit: NO_WAIT } : decideDurability(facts)

const credulous: Rules['decide'] = (facts) => decideDurability({ ...facts, level: facts.streaming })

/** Where commits are not to wait, both rules are simply set. */
const careless: Rules['decide'] = (facts) => {
  if (isSynchronous(facts.mode, facts.members.length)) return decideDurability(facts)
  const election = { voters: facts.members.filter((name) => name !== facts.node), need: 1 }
  if (!isDeepStrictEqual(facts.election, election)) return { do: 'elect', why: '', election }
  if (facts.commit.count > 0) return { do: 'commit', why: '', commit: NO_WAIT }
  return { do: 'nothing', why: '' }
}

const LOST = /without commit|was replaced and acknowledges|acknowledges after/
const NOTICED = new RegExp(`not safe any more|${LOST.source}`)

const mistakes: readonly [caption: string, mistake: Partial<Rules>][] = [
  ['a commit rule that does not wait for the election rule', { decide: straight('commit') }],
  ['an election rule that does not wait for the commit rule', { decide: straight('elect') }],
  ['going on alone while others may elect', { decide: hasty }],
  ['a commit rule that is set without a look at the lock', { touches: false }],
  ['voters that stream and have not caught up', { decide: credulous }],
  ['a cluster that got small, and both rules set at once', { decide: careless }],
  ['a list that lacks a member and is believed', { registers: false }],
  ['a commit rule that is set and not yet in effect', { proves: 'nothing' }],
  ['a WAL sender that still lets commits go by the former rule', { proves: 'checkpointer' }],
]

describe('the model notices', () => {
  const find = (mistake: Partial<Rules>): string => {
    const property = fc.property(run, (given) => {
      play(given, { ...RULES, ...mistake })
    })
    const { errorInstance } = fc.check(property, { numRuns: 20_000, endOnFailure: true })
    return errorInstance instanceof Error ? errorInstance.message : 'nothing'
  }

  for (const [caption, mistake] of mistakes) {
    test(caption, () => assert.match(find(mistake), NOTICED))
    // A late write that does harm is too rare to wait for, and so is a WAL sender that is late while its standby leads.
    if (mistake.touches === false || mistake.proves === 'checkpointer') continue
    test(`${caption}: by what is lost`, () => assert.match(find({ ...mistake, compares: false }), LOST))
  }
})
