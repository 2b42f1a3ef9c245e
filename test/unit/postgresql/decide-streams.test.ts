import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Stream, sortStreams } from '../../../lib/postgresql/decide-streams.ts'
import { addressOf } from '../support/documents.ts'

const members = [1, 2, 3].map((id) => ({ node: `n${id}`, repmgrId: id, address: addressOf(`n${id}`) }))
const n2: Stream = {
  ...{
    pid: 20,
    started: '1700000000.000001',
    name: 'n2',
    user: 'repmgr',
    address: '10.77.0.12',
    slot: 'repmgr_slot_2',
  },
  ...{ streaming: true, flushed: 500n, replayed: 400n },
}

const cases: readonly (readonly [caption: string, difference: Partial<Stream>, why: string | null])[] = [
  ['the standby itself', {}, null],
  ['the standby, catching up', { streaming: false }, null],
  ['the standby, before its first reply', { flushed: null, replayed: null }, null],
  ['nobody that has a slot', { slot: null }, 'something at 10.77.0.12 streams as n2 without its slot'],
  [
    'somebody with the slot of another member',
    { slot: 'repmgr_slot_3' },
    'something at 10.77.0.12 streams as n2 without its slot',
  ],
  [
    'a slot of its own, by a name that only begins alike',
    { slot: 'repmgr_slot_22' },
    'something at 10.77.0.12 streams as n2 without its slot',
  ],
  [
    'a copy of the machine',
    { address: '10.77.0.19' },
    'something at 10.77.0.19 streams as n2, whose address is 10.77.0.12',
  ],
  [
    'a program on the primary',
    { address: null },
    'something at this machine itself streams as n2, whose address is 10.77.0.12',
  ],
  ['another user', { user: 'postgres' }, 'something at 10.77.0.12 streams as n2, but as the user postgres'],
  [
    'a receiver that borrows slot and name and is no database',
    { replayed: null },
    'something at 10.77.0.12 streams as n2, but is not a database: it replays nothing',
  ],
]

describe('who streams under the name of a member', () => {
  for (const [caption, difference, why] of cases)
    test(caption, () => {
      const stream = { ...n2, ...difference }
      const { standbys, strangers } = sortStreams([stream], members)
      assert.deepEqual(standbys, why === null ? [stream] : [])
      assert.deepEqual(strangers, why === null ? [] : [{ ...stream, why }])
    })

  test('a name that no member has is nobody’s business', () => {
    const stream = { ...n2, name: 'pg_basebackup', slot: null }
    assert.deepEqual(sortStreams([stream], members), { standbys: [], strangers: [] })
  })

  test('a member of which Consul has no readable document: any slot and address will do', () => {
    const unknown = [{ node: 'n2', repmgrId: 0, address: null }]
    assert.deepEqual(sortStreams([n2], unknown).standbys, [n2])
    assert.equal(sortStreams([{ ...n2, slot: null }], unknown).strangers.length, 1)
  })

  test('each stream under a member’s name is in one list, and no name is in the first one twice', () => {
    const field = <T>(...values: T[]) => fc.constantFrom(...values)
    const stream: fc.Arbitrary<Stream> = fc.record({
      pid: fc.nat(),
      started: fc.constant('1'),
      name: field('n1', 'n2', 'n3', 'other'),
      user: field('repmgr', 'postgres'),
      address: field(null, ...members.map(({ address }) => address)),
      slot: field(null, 'repmgr_slot_1', 'repmgr_slot_2', 'repmgr_slot_3'),
      streaming: fc.boolean(),
      flushed: field(null, 5n),
      replayed: field(null, 4n),
    })
    // A slot has one holder.
    const streams = fc
      .array(stream)
      .map((all) =>
        all.filter(({ slot }, index) => slot === null || all.findIndex((one) => one.slot === slot) === index),
      )
    fc.assert(
      fc.property(streams, (all) => {
        const { standbys, strangers } = sortStreams(all, members)
        assert.equal(standbys.length + strangers.length, all.filter(({ name }) => name !== 'other').length)
        assert.equal(new Set(standbys.map(({ name }) => name)).size, standbys.length)
      }),
      { numRuns: 500 },
    )
  })
})
