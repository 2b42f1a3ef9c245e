import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Confirmation,
  copiesNeeded,
  judgeCopies,
  type MachineNeeds,
  type MinCopies,
} from '../../../lib/files/decide-confirmation.ts'

describe('how many others must have a copy', () => {
  const cases: readonly (readonly [minCopies: MinCopies, byOthers: readonly (number | null)[]])[] = [
    // Of clusters of 1 to 5 machines.
    ['all', [0, 1, 2, 3, 4]],
    ['majority', [0, 1, 1, 2, 2]],
    [0, [0, 0, 0, 0, 0]],
    [1, [null, 1, 1, 1, 1]],
    [2, [null, null, 2, 2, 2]],
    [4, [null, null, null, null, 4]],
    [5, [null, null, null, null, null]],
  ]
  for (const [minCopies, byOthers] of cases) {
    for (const [others, needed] of byOthers.entries())
      test(`${minCopies}, of ${others + 1} machines: ${needed ?? 'there are not so many'}`, () =>
        assert.equal(copiesNeeded(minCopies, others), needed))
  }

  test('with this one they are a majority, and no fewer would be', () => {
    fc.assert(
      fc.property(fc.nat(20), (others) => {
        const with1 = (copiesNeeded('majority', others) ?? Number.NaN) + 1
        assert.ok(with1 > (others + 1) / 2, `${with1} of ${others + 1}`)
        assert.ok(with1 - 1 <= (others + 1) / 2, `${with1} of ${others + 1}`)
      }),
    )
  })
})

const file = (name: string, size = 10) => ({
  ...{ folderId: 'files-1', folder: 'files', name, size, deleted: false },
})
const peer = (name: string, difference: Partial<MachineNeeds> = {}): MachineNeeds => ({
  name,
  connected: true,
  lacks: [],
  ...difference,
})

describe('whether there are enough copies', () => {
  const cases: readonly (readonly [
    caption: string,
    needed: number,
    peers: readonly MachineNeeds[],
    confirmation: Confirmation,
  ])[] = [
    ['all have everything', 2, [peer('n2'), peer('n3')], { done: true, complete: ['n2', 'n3'], lacking: [] }],
    ['there is no other machine', 0, [], { done: true, complete: [], lacking: [] }],
    ['there is none, and one is wanted', 1, [], { done: false, complete: [], lacking: [] }],
    [
      'one lacks a file, and the other is enough',
      1,
      [peer('n2', { lacks: [file('a')] }), peer('n3')],
      { done: true, complete: ['n3'], lacking: ['n2 lacks 1 file (10 B): files/a'] },
    ],
    [
      'one lacks a file, and both are wanted',
      2,
      [peer('n2', { lacks: [file('a')] }), peer('n3')],
      { done: false, complete: ['n3'], lacking: ['n2 lacks 1 file (10 B): files/a'] },
    ],
    [
      'one is not connected: nobody knows what it has now',
      1,
      [peer('n2', { connected: false })],
      { done: false, complete: [], lacking: ['n2 is not connected'] },
    ],
    [
      'one is not connected, and lacked something when it was',
      1,
      [peer('n2', { connected: false, lacks: [file('a', 0)] })],
      { done: false, complete: [], lacking: ['n2 is not connected and lacks 1 file (0 B): files/a'] },
    ],
    [
      'three files have names',
      1,
      [peer('n2', { lacks: [file('a'), file('b/c'), { ...file('d', 5), folder: 'other' }] })],
      {
        done: false,
        complete: [],
        lacking: ['n2 lacks 3 files (25 B): files/a, files/b/c, other/d'],
      },
    ],
    [
      'sizes are added up and said in a unit that fits',
      1,
      [peer('n2', { lacks: [file('a', 3 * 2 ** 20), file('b', 2 * 2 ** 20)] })],
      { done: false, complete: [], lacking: ['n2 lacks 2 files (5 MiB): files/a, files/b'] },
    ],
    [
      'more are counted',
      1,
      [peer('n2', { lacks: ['a', 'b', 'c', 'd', 'e'].map((name) => file(name)) })],
      {
        done: false,
        complete: [],
        lacking: ['n2 lacks 5 files (50 B): files/a, files/b, files/c and 2 more'],
      },
    ],
  ]
  for (const [caption, needed, peers, confirmation] of cases)
    test(caption, () => assert.deepEqual(judgeCopies(needed, peers), confirmation))

  const anyPeers = fc
    .array(
      fc.record({
        connected: fc.boolean(),
        lacks: fc.array(fc.constantFrom(file('a'), file('b', 0)), { maxLength: 5 }),
      }),
      { maxLength: 5 },
    )
    .map((states) => states.map((state, index) => peer(`n${index + 2}`, state)))

  test('it is done exactly where so many are connected and lack nothing, and nobody else is said to be complete', () => {
    fc.assert(
      fc.property(fc.nat(5), anyPeers, (needed, peers) => {
        const { done, complete, lacking } = judgeCopies(needed, peers)
        const whole = peers.filter(({ connected, lacks }) => connected && lacks.length === 0)
        assert.deepEqual(
          complete,
          whole.map(({ name }) => name),
        )
        assert.equal(done, whole.length >= needed)
        assert.equal(complete.length + lacking.length, peers.length, 'one machine is not spoken of')
        for (const { name } of peers)
          assert.notEqual(
            complete.includes(name),
            lacking.some((sentence) => sentence.startsWith(`${name} `)),
          )
      }),
    )
  })
})
