import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { currentPrimary } from '../../../lib/consul/leadership.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideVirtualIpWeight,
  NO_CLAIM,
  PRIMARY_WEIGHT,
  type VirtualIpWeightFacts,
  type VirtualIpWeightPlan,
} from '../../../lib/virtual-ip/decide-weight.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

const HEAVY = `${PRIMARY_WEIGHT}\n`
const NONE = `${NO_CLAIM}\n`
const LIGHT = '0\n'
/** n1 is the primary and weighs so. */
const base: VirtualIpWeightFacts = {
  node: 'n1',
  hasAddress: true,
  policy: 'with-primary',
  leadership: leadOfN1,
  fenced: false,
  file: HEAVY,
  leads: null,
  heard: null,
  waitedMs: 0,
}
/** Consul does not answer, and this machine claims the address. */
const blind = { leadership: UNKNOWN, waitedMs: 4000 } as const

const cases: readonly Case<VirtualIpWeightFacts, VirtualIpWeightPlan>[] = [
  ['The primary is heavy', {}, { do: 'nothing', why: 'n1 is the primary' }],
  ['We became the primary', { file: NONE }, { do: 'write', why: 'n1 is the primary', file: HEAVY }],
  [
    'We are the primary no longer',
    { leadership: leadOfN2 },
    { do: 'write', why: 'n2 is the primary', file: NONE, closeConnections: true },
  ],
  [
    'A standby claims nothing while there is a primary',
    { node: 'n2', file: NONE },
    { do: 'nothing', why: 'n1 is the primary' },
  ],
  [
    'The primary has lost its lock: it stays heavy until another one has it',
    { leadership: lockReleased },
    { do: 'nothing', why: 'n1 is the primary' },
  ],
  [
    'Another one has taken its lock and is not published yet: clients wait there',
    { leadership: lockTaken },
    { do: 'write', why: 'n2 holds the lock and is not published yet', file: NONE, closeConnections: true },
  ],
  [
    'The primary has gone: nobody knows who is next, and clients could not be moved',
    { node: 'n2', leadership: lockReleased, file: NONE },
    { do: 'nothing', why: 'n1 is the primary' },
  ],
  [
    'We have the lock and are not published yet: clients wait here',
    { node: 'n2', leadership: lockTaken, file: NONE },
    { do: 'write', why: 'n2 holds the lock and is not published yet', file: HEAVY },
  ],
  [
    'Neither the last primary nor who has the lock',
    { node: 'n3', leadership: lockTaken, file: NONE },
    { do: 'nothing', why: 'n2 holds the lock and is not published yet' },
  ],
  ['After a boot there is no file', { file: null }, { do: 'write', why: 'n1 is the primary', file: HEAVY }],
  ['Something else is in the file', { file: '100' }, { do: 'write', why: 'n1 is the primary', file: HEAVY }],
  [
    'Before the first primary nobody has a claim',
    { leadership: { leader: null, primary: null }, file: null },
    { do: 'write', why: 'there is no primary', file: NONE },
  ],
  [
    'Fixed placement: the primary is light, too',
    { policy: 'fixed' },
    { do: 'write', why: 'placed by priority', file: LIGHT },
  ],
  [
    'Fixed placement: a standby may have it beside a primary',
    { policy: 'fixed', node: 'n2', file: NONE },
    { do: 'write', why: 'placed by priority', file: LIGHT },
  ],
  [
    'Fixed placement: nothing to change',
    { policy: 'fixed', file: LIGHT },
    { do: 'nothing', why: 'placed by priority' },
  ],
  [
    'Without Consul the claim stays beside a running primary',
    { ...blind, leads: true },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  [
    'Without the policy the claim stays beside a running primary',
    { policy: UNKNOWN, waitedMs: 4000, leads: true },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  [
    'Without Consul and without a primary here: another machine may lead',
    { ...blind, leads: false },
    { do: 'write', why: 'no primary runs on this machine', file: NONE, closeConnections: true },
  ],
  [
    'Without the policy and without a primary here',
    { policy: UNKNOWN, waitedMs: 4000, leads: false },
    { do: 'write', why: 'no primary runs on this machine', file: NONE, closeConnections: true },
  ],
  [
    "Without both for as long as an election of Consul's leader takes: the claim stays",
    { ...blind, leads: false, waitedMs: 3999 },
    { do: 'nothing', why: 'no primary runs on this machine' },
  ],
  [
    'Fixed placement: without both the address stays by priority',
    { ...blind, file: LIGHT },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  [
    'Without Consul after a boot: no claim, as another machine may hold the address',
    { leadership: UNKNOWN, file: null },
    { do: 'write', why: 'no primary is known', file: NONE },
  ],
  [
    'Without the policy after a boot: no claim',
    { policy: UNKNOWN, file: null },
    { do: 'write', why: 'no primary is known', file: NONE },
  ],
  [
    'A fenced machine claims no address',
    { policy: null, leadership: null, fenced: true },
    { do: 'write', why: 'this machine is fenced', file: NONE, closeConnections: true },
  ],
  [
    'Fenced, and the policy is unknown',
    { policy: UNKNOWN, fenced: true },
    { do: 'write', why: 'this machine is fenced', file: NONE, closeConnections: true },
  ],
  [
    'Fenced, and there is no file',
    { leadership: UNKNOWN, fenced: true, file: null },
    { do: 'write', why: 'this machine is fenced', file: NONE },
  ],
  [
    'Fenced, and it already claims no address',
    { leadership: UNKNOWN, fenced: true, file: NONE },
    { do: 'nothing', why: 'this machine is fenced' },
  ],
  [
    'Fenced, and Consul is back: no claim before the database may start again',
    { fenced: true, file: NONE },
    { do: 'nothing', why: 'this machine is fenced' },
  ],
  [
    'Fenced, with fixed placement: no claim either',
    { policy: 'fixed', fenced: true, file: LIGHT },
    { do: 'write', why: 'this machine is fenced', file: NONE, closeConnections: true },
  ],
  [
    'The database starts again, and this is the primary still',
    { file: NONE },
    { do: 'write', why: 'n1 is the primary', file: HEAVY },
  ],
  [
    'The database may start again, and Consul has gone again: no claim until it is back',
    { leadership: UNKNOWN, file: NONE },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  [
    'With fixed placement a machine that comes back claims nothing before every other member hears it',
    { policy: 'fixed', file: NONE, heard: false },
    { do: 'nothing', why: "not every other member hears this machine's adverts yet" },
  ],
  [
    'They all hear it',
    { policy: 'fixed', file: NONE, heard: true },
    { do: 'write', why: 'the policy is fixed: the virtual IP is placed by priority', file: LIGHT },
  ],
  [
    'A service has failed here: any other machine may have the address, and this one if there is none',
    { policy: 'fixed', file: LIGHT, yields: true },
    { do: 'write', why: 'a service has failed here', file: '-50\n' },
  ],
  [
    'It weighs so little already',
    { policy: 'fixed', file: '-50\n', yields: true },
    { do: 'nothing', why: 'a service has failed here' },
  ],
  [
    'No service makes it give way any more',
    { policy: 'fixed', file: '-50\n', yields: false },
    { do: 'write', why: 'the policy is fixed: the virtual IP is placed by priority', file: LIGHT },
  ],
  [
    'Where the address follows the primary, that makes no difference',
    { yields: true },
    { do: 'nothing', why: 'n1 is the primary' },
  ],
  [
    'A holder that is there already keeps the address while a new member is told to its keepalived',
    { policy: 'fixed', file: LIGHT },
    { do: 'nothing', why: 'the policy is fixed: the virtual IP is placed by priority' },
  ],
  [
    'Without a virtual IP there is nothing to claim, and no connection to close',
    { hasAddress: false, policy: null, leadership: null },
    { do: 'nothing', why: 'the cluster has no virtual IP' },
  ],
]
describe('virtual-ip-weight', () => table(decideVirtualIpWeight, base, cases))

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5']
const file = fc.option(fc.constantFrom(LIGHT, HEAVY, NONE, ''))
const policy = fc.constantFrom('with-primary', 'fixed')
const node = fc.constantFrom(...NODES)
const leadership = fc.record({
  leader: fc.option(
    fc
      .tuple(node, fc.option(fc.constant('session')), fc.integer({ min: 7, max: 8 }))
      .map((one) => lock(...one)),
  ),
  primary: fc.option(
    fc.tuple(node, fc.constant(3), fc.integer({ min: 7, max: 8 })).map((one) => published(...one)),
  ),
})
const unknown = fc.constant(UNKNOWN)

const anyFacts: fc.Arbitrary<VirtualIpWeightFacts> = fc.record({
  node,
  hasAddress: fc.constant(true),
  policy: fc.oneof(policy, unknown),
  leadership: fc.oneof(leadership, unknown),
  fenced: fc.boolean(),
  file,
  leads: fc.option(fc.boolean()),
  heard: fc.option(fc.boolean()),
  waitedMs: fc.constantFrom(0, 4000),
})

test('virtual-ip-weight: what was written is not written again', () => {
  fc.assert(
    fc.property(anyFacts, (before) => {
      const plan = decideVirtualIpWeight(before)
      assert.equal(decideVirtualIpWeight({ ...before, file: plan.file ?? before.file }).do, 'nothing')
    }),
  )
})

test('virtual-ip-weight: a fenced machine claims no address, whatever Consul says', () => {
  fc.assert(
    fc.property(anyFacts, (before) => {
      const fenced = { ...before, fenced: true }
      assert.equal(decideVirtualIpWeight(fenced).file ?? fenced.file, NONE)
    }),
  )
})

test('virtual-ip-weight: by the same news one machine claims the address, and that is the current primary where there is one', () => {
  fc.assert(
    fc.property(
      fc.record({ policy, leadership }),
      fc.array(file, { minLength: 5, maxLength: 5 }),
      (news, files) => {
        const weights = NODES.map((name, index) => {
          const before = files[index] ?? null
          const facts = { ...base, node: name, ...news, file: before }
          return decideVirtualIpWeight(facts).file ?? before
        })
        const those = (weight: string): string[] => NODES.filter((_name, index) => weights[index] === weight)
        if (news.policy === 'fixed') return assert.deepEqual(those(LIGHT), NODES)
        const { leader, primary } = news.leadership
        const claims = leader?.session ? leader.value.node : primary?.node
        assert.deepEqual(those(HEAVY), claims === undefined ? [] : [claims])
        assert.deepEqual(
          those(NONE),
          NODES.filter((name) => name !== claims),
        )
        const current = currentPrimary(news.leadership)
        if (current) assert.equal(claims, current.node)
      },
    ),
  )
})
