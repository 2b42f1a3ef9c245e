import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  ALONE_AFTER_MS,
  anyStandby,
  type DurabilityFacts,
  type DurabilityPlan,
  decideDurability,
} from '../../../lib/decide/durability.ts'
import { type Case, table } from '../support/table.ts'

const BOTH = 'ANY 1 ("n2", "n3")'
/** n1 is the primary of three, both standbys stream, commits wait for one of them. */
const base: DurabilityFacts = {
  node: 'n1',
  members: ['n1', 'n2', 'n3'],
  streaming: ['n2', 'n3'],
  current: BOTH,
  heldMs: 3_600_000,
}

const cases: readonly Case<DurabilityFacts, DurabilityPlan>[] = [
  ['Both stream', {}, { do: 'nothing', why: 'n2, n3 streams', names: BOTH }],
  ['The third has just joined', { current: '' }, { do: 'set', why: 'streams', names: BOTH }],
  [
    'One standby is gone: the other is enough',
    { streaming: ['n3'] },
    { do: 'nothing', why: 'n3 streams', names: BOTH },
  ],
  [
    'One alone is not enough for two members',
    { members: ['n1', 'n2'], streaming: ['n2'], current: '' },
    { do: 'nothing', why: '2 members are too few', names: '' },
  ],
  [
    'The third member has left',
    { members: ['n1', 'n2'], streaming: ['n2'] },
    { do: 'set', why: '2 members are too few', names: '' },
  ],
  [
    'Both standbys are gone for long, and Consul says that the lock is ours',
    { streaming: [] },
    { do: 'set', why: 'the lock is ours', names: '' },
  ],
  [
    'Just promoted: the standbys have not followed yet',
    { streaming: [], heldMs: ALONE_AFTER_MS - 1 },
    { do: 'nothing', why: 'no standby streams yet', names: BOTH },
  ],
  ['A standby is back', { streaming: ['n2'], current: '' }, { do: 'set', why: 'n2 streams', names: BOTH }],
  [
    'A fourth member has joined',
    { members: ['n4', 'n1', 'n3', 'n2'] },
    { do: 'set', why: 'streams', names: 'ANY 1 ("n2", "n3", "n4")' },
  ],
]

describe('durability', () => {
  table(decideDurability, base, cases)

  const names = fc.uniqueArray(fc.constantFrom('n1', 'n2', 'n3', 'n4', 'n5'), { minLength: 1 })
  const facts = fc
    .record({ members: names, streaming: names, current: fc.constantFrom('', BOTH), heldMs: fc.nat(60_000) })
    .map(({ members, streaming, ...rest }): DurabilityFacts => {
      const node = members[0] as string
      return {
        ...rest,
        node,
        members,
        streaming: streaming.filter((name) => name !== node && members.includes(name)),
      }
    })

  test('carried out once, there is nothing left to do', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const { names: current } = decideDurability(given)
        assert.equal(decideDurability({ ...given, current }).do, 'nothing')
      }),
    )
  })

  test('with three members commits stop waiting only without any standby, and only long after the lock was taken', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const plan = decideDurability(given)
        if (given.members.length >= 3 && plan.do === 'set' && plan.names === '') {
          assert.deepEqual(given.streaming, [])
          assert.ok(given.heldMs >= ALONE_AFTER_MS)
        }
      }),
    )
  })

  test('the primary never waits for itself', () => {
    fc.assert(
      fc.property(names, (members) => !anyStandby(members[0] as string, members).includes(`"${members[0]}"`)),
    )
  })
})
