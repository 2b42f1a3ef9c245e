import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as v from 'valibot'
import { type Applicant, claimSeat } from '../../../lib/consul/decide-seat.ts'
import { consulKeys, type Seats } from '../../../lib/consul/manifest.ts'
import { addressOf } from '../support/documents.ts'

const applicant = (node: string): Applicant => ({
  node,
  machineId: `machine-${node}`,
  address: addressOf(node),
})
const seat = (node: string, repmgrId: number, vipPriority: number) => ({
  machineId: `machine-${node}`,
  address: addressOf(node),
  repmgrId,
  vipPriority,
})
const two: Seats = { schema: 1, seats: { n1: seat('n1', 1, 100), n2: seat('n2', 2, 95) } }

/** The document after everyone has asked in this order. */
const seated = (nodes: readonly string[], first: Seats | null = null): Seats => {
  let document = first
  for (const node of nodes) {
    const claim = claimSeat(document, applicant(node))
    if (claim.outcome === 'claimed') document = claim.seats
  }
  return document ?? { schema: 1, seats: {} }
}

describe('seats', () => {
  test('the first machine has the first id and the highest priority', () =>
    assert.deepEqual(claimSeat(null, applicant('n1')), {
      outcome: 'claimed',
      seat: seat('n1', 1, 100),
      seats: { schema: 1, seats: { n1: seat('n1', 1, 100) } },
    }))

  test('a joiner comes below all others and changes no seat but its own', () =>
    assert.deepEqual(claimSeat(two, applicant('n3')), {
      outcome: 'claimed',
      seat: seat('n3', 3, 90),
      seats: { schema: 1, seats: { ...two.seats, n3: seat('n3', 3, 90) } },
    }))

  test('a join that is tried again finds its seat', () =>
    assert.deepEqual(claimSeat(two, applicant('n2')), { outcome: 'held', seat: seat('n2', 2, 95) }))

  const refused: readonly (readonly [caption: string, applicant: Applicant, why: RegExp])[] = [
    [
      'another machine has the host name',
      { ...applicant('n2'), machineId: 'other' },
      /n2 is already a member, at 10\.77\.0\.12/,
    ],
    [
      'the machine has changed its address',
      { ...applicant('n2'), address: '10.77.0.99' },
      /joined with the address 10\.77\.0\.12, but now has 10\.77\.0\.99; give it its old address back$/,
    ],
    [
      'another member has the address',
      { ...applicant('n3'), address: addressOf('n1') },
      /n1 has the address 10\.77\.0\.11 already/,
    ],
    [
      'the machine was cloned from a member, machine id and all',
      { ...applicant('n3'), machineId: 'machine-n1' },
      /^n3 has the machine id of n1, .*systemd-machine-id-setup/,
    ],
  ]
  for (const [caption, who, why] of refused) {
    test(`refused: ${caption}`, () => {
      const claim = claimSeat(two, who)
      assert.equal(claim.outcome, 'refused')
      assert.match(claim.outcome === 'refused' ? claim.why : '', why)
    })
  }

  test('refused: no priority is left', () => {
    const claim = claimSeat({ schema: 1, seats: { n1: seat('n1', 1, 5) } }, applicant('n2'))
    assert.equal(claim.outcome, 'refused')
  })

  test('in whatever order and however often they ask: ids, priorities and addresses are unique, the document valid', () => {
    const nodes = ['n1', 'n2', 'n3', 'n4', 'n5']
    const order = fc.array(fc.constantFrom(...nodes), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(order, fc.subarray(nodes), order, (first, leaving, second) => {
        const before = seated(first)
        const stayed = Object.fromEntries(
          Object.entries(before.seats).filter(([node]) => !leaving.includes(node)),
        )
        const { seats, schema } = seated(second, { schema: 1, seats: stayed })
        v.parse(consulKeys.seats.schema, { schema, seats })
        for (const what of ['repmgrId', 'vipPriority', 'address'] as const) {
          const values = Object.values(seats).map((one) => one[what])
          assert.equal(new Set(values).size, values.length, what)
        }
        assert.ok(
          Object.values(seats).every(({ repmgrId, vipPriority }) => repmgrId >= 1 && vipPriority >= 1),
        )
        for (const [node, kept] of Object.entries(stayed)) assert.deepEqual(seats[node], kept)
      }),
    )
  })
})
