import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/decide/facts.ts'
import {
  decideVipWeight,
  PRIMARY_WEIGHT,
  type VipWeightFacts,
  type VipWeightPlan,
} from '../../../lib/decide/vip-weight.ts'
import { published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

const HEAVY = `${PRIMARY_WEIGHT}\n`
/** n1 is the primary and weighs so. */
const base: VipWeightFacts = {
  node: 'n1',
  policy: 'with-primary',
  primary: published('n1', 3, 7),
  file: HEAVY,
}

const cases: readonly Case<VipWeightFacts, VipWeightPlan>[] = [
  ['The primary is heavy', {}, { do: 'nothing', why: 'n1 is the primary' }],
  ['We became the primary', { file: '0\n' }, { do: 'write', why: 'n1 is the primary', file: HEAVY }],
  [
    'We are the primary no longer',
    { primary: published('n2', 4, 8) },
    { do: 'write', why: 'n2 is the primary', file: '0\n' },
  ],
  ['A standby is light', { node: 'n2', file: '0\n' }, { do: 'nothing', why: 'n1 is the primary' }],
  ['After a boot there is no file', { file: null }, { do: 'write', why: 'n1 is the primary', file: HEAVY }],
  ['Something else is in the file', { file: '100' }, { do: 'write', why: 'n1 is the primary', file: HEAVY }],
  [
    'Before the first primary nobody is heavy',
    { primary: null },
    { do: 'write', why: 'nobody is the primary', file: '0\n' },
  ],
  [
    'Fixed placement: the primary is light, too',
    { policy: 'fixed' },
    { do: 'write', why: 'stays by priority', file: '0\n' },
  ],
  [
    'Fixed placement: nothing to change',
    { policy: 'fixed', file: '0\n' },
    { do: 'nothing', why: 'stays by priority' },
  ],
  ['Without Consul the weight stays', { primary: UNKNOWN }, { do: 'nothing', why: 'Consul does not answer' }],
  [
    'Without the policy the weight stays',
    { policy: UNKNOWN },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  [
    'Without Consul after a boot: light',
    { primary: UNKNOWN, file: null },
    { do: 'write', why: 'no primary is known', file: '0\n' },
  ],
  [
    'Without the policy after a boot: light',
    { policy: UNKNOWN, file: null },
    { do: 'write', why: 'no primary is known', file: '0\n' },
  ],
]
describe('vip-weight', () => table(decideVipWeight, base, cases))

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5']
const file = fc.option(fc.constantFrom('0\n', HEAVY, ''))
const policy = fc.constantFrom('with-primary', 'fixed')
const primary = fc.option(fc.constantFrom(...NODES).map((node) => published(node, 3, 7)))
const unknown = fc.constant(UNKNOWN)

const anyFacts = fc.record({
  node: fc.constantFrom(...NODES),
  policy: fc.oneof(policy, unknown),
  primary: fc.oneof(primary, unknown),
  file,
})

test('vip-weight: what was written is not written again', () => {
  fc.assert(
    fc.property(anyFacts, (before) => {
      const plan = decideVipWeight(before)
      assert.equal(decideVipWeight({ ...before, file: plan.file ?? before.file }).do, 'nothing')
    }),
  )
})

test('vip-weight: by the same news from Consul at most one machine is heavy, and only the primary', () => {
  fc.assert(
    fc.property(
      fc.record({ policy, primary }),
      fc.array(file, { minLength: 5, maxLength: 5 }),
      (news, files) => {
        const weights = NODES.map((node, index) => {
          const before = files[index] ?? null
          return decideVipWeight({ node, ...news, file: before }).file ?? before
        })
        const heavy = NODES.filter((_node, index) => weights[index] === HEAVY)
        assert.deepEqual(heavy, news.policy === 'with-primary' && news.primary ? [news.primary.node] : [])
      },
    ),
  )
})
