import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  decideServiceTag,
  type ServiceTagFacts,
  type ServiceTagPlan,
} from '../../../lib/consul/decide-service-tag.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n2 is a standby and tagged so. */
const base: ServiceTagFacts = { node: 'n2', primary: published('n1', 3, 7), tags: ['standby'] }

const cases: readonly Case<ServiceTagFacts, ServiceTagPlan>[] = [
  ['A standby is tagged so', {}, { do: 'nothing', why: 'n1 is the primary' }],
  [
    'The primary is tagged so',
    { node: 'n1', tags: ['primary'] },
    { do: 'nothing', why: 'n1 is the primary' },
  ],
  ['We became the primary', { node: 'n1' }, { do: 'tag', why: 'n1 is the primary', tag: 'primary' }],
  [
    'We are the primary no longer',
    { tags: ['primary'] },
    { do: 'tag', why: 'n1 is the primary', tag: 'standby' },
  ],
  ['First start: no tag yet', { tags: [] }, { do: 'tag', why: 'n1 is the primary', tag: 'standby' }],
  [
    'Somebody added a tag',
    { tags: ['standby', 'primary'] },
    { do: 'tag', why: 'n1 is the primary', tag: 'standby' },
  ],
  [
    'Consul does not say who is the primary',
    { primary: UNKNOWN },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  ['Consul does not tell our tags', { tags: UNKNOWN }, { do: 'nothing', why: 'Consul does not answer' }],
  ['The service is not registered', { tags: null }, { do: 'nothing', why: 'not registered' }],
  ['Before the first primary', { primary: null }, { do: 'nothing', why: 'no primary yet' }],
]
describe('service-tag', () => table(decideServiceTag, base, cases))

test('service-tag: what was carried out is not carried out again, and only the primary is tagged so', () => {
  const facts = fc.record({
    node: fc.constantFrom('n1', 'n2', 'n3'),
    primary: fc.option(fc.constantFrom('n1', 'n2', 'n3').map((node) => published(node, 3, 7))),
    tags: fc.option(fc.array(fc.constantFrom('primary', 'standby', 'other'), { maxLength: 3 })),
  })
  fc.assert(
    fc.property(facts, (before) => {
      const { tag } = decideServiceTag(before)
      if (tag === undefined) return
      assert.equal(tag === 'primary', before.primary?.node === before.node)
      assert.equal(decideServiceTag({ ...before, tags: [tag] }).do, 'nothing')
    }),
  )
})
