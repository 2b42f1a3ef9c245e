import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  type BrokerRepair,
  decideRepair,
  type RepairFacts,
  STUCK_MS,
} from '../../../lib/rabbitmq/decide-repair.ts'
import { table } from '../support/table.ts'

const all = ['n1', 'n2', 'n3']
const sees = (running: readonly string[], partitionedFrom: readonly string[] = []) => ({
  running,
  partitionedFrom,
})

/** n2, which runs with all others, as written down. */
const well: RepairFacts = {
  ...{ node: 'n2', series: '4.0', unit: 'active', startingMs: null, members: all },
  ...{ view: sees(all), recorded: all, alive: new Set(all) },
}
const record = (running: readonly string[], close = false) => ({ do: 'record' as const, running, close })

describe('rabbitmq: a broker that runs', () => {
  table<RepairFacts, BrokerRepair>(decideRepair, well, [
    ['with all others', {}, { do: 'nothing', why: 'as they did' }],
    ['stopped', { view: null, unit: 'inactive' }, { do: 'nothing', why: 'does not run' }],
    ['it does not answer', { view: UNKNOWN }, { do: 'wait', why: 'does not say' }],
    ['Consul does not say what was written down', { recorded: UNKNOWN }, { do: 'wait', why: 'does not say' }],
    ['nobody has written it down', { recorded: null }, { ...record(all), why: 'n1, n2, n3 run' }],
    [
      'one is away',
      { view: sees(['n1', 'n2']), alive: new Set(['n1', 'n2']) },
      { ...record(['n1', 'n2']), why: 'n1, n2' },
    ],
    [
      'a machine is away, and its broker has not been missed yet',
      { alive: new Set(['n1', 'n2']) },
      { ...record(['n1', 'n2']), why: 'n1, n2' },
    ],
    [
      'the same with RabbitMQ 3, where it counts who ran last',
      { series: '3.10', recorded: null, alive: new Set(['n1', 'n2']) },
      { do: 'wait', why: 'n3 is away' },
    ],
    ['Consul sees fewer than a majority', { alive: new Set(['n2']) }, { do: 'wait', why: 'n1, n3 are away' }],
    [
      'its own machine is back, and Consul has not noticed yet',
      { recorded: ['n1', 'n3'], alive: new Set(['n1', 'n3']) },
      { ...record(all, true), why: 'back from a minority' },
    ],
    [
      'another one is back, and has not said so: it has to close its connections first',
      { recorded: ['n1', 'n2'] },
      { do: 'nothing', why: 'as they did' },
    ],
    [
      'back together with another one',
      { recorded: ['n1'] },
      { ...record(['n1', 'n2'], true), why: 'back from a minority' },
    ],
    ['cut off', { view: sees(['n2']) }, { do: 'wait', why: 'sees only n2' }],
    ['half of two', { members: ['n1', 'n2'], view: sees(['n2']) }, { do: 'wait', why: 'sees only n2' }],
    [
      'back from a minority',
      { recorded: ['n1', 'n3'] },
      { ...record(all, true), why: 'back from a minority' },
    ],
    [
      'the same with RabbitMQ 3, which has closed the connections itself',
      { series: '3.10', recorded: ['n1', 'n3'] },
      { ...record(all), why: 'n1, n2, n3 run' },
    ],
  ])
})

describe('rabbitmq: partitions', () => {
  table<RepairFacts, BrokerRepair>(decideRepair, { ...well, series: '3.10' }, [
    [
      'the one that was frozen',
      { view: sees(['n2'], ['n1', 'n3']) },
      { do: 'restart-app', why: 'n2 and n1, n3' },
    ],
    ['the others', { view: sees(['n1', 'n2'], ['n3']) }, { do: 'later', why: 'the other side' }],
    [
      'two: the second',
      { members: ['n1', 'n2'], view: sees(['n2'], ['n1']) },
      { do: 'restart-app', why: 'n2 and n1' },
    ],
    [
      'two: the first',
      { node: 'n1', members: ['n1', 'n2'], view: sees(['n1'], ['n2']) },
      { do: 'later', why: 'other side' },
    ],
  ])

  test('of two sides exactly one begins again', () => {
    const split = fc
      .uniqueArray(fc.constantFrom('n1', 'n2', 'n3', 'n4', 'n5'), { minLength: 2 })
      .chain((members) =>
        fc.record({
          members: fc.constant(members),
          left: fc.subarray(members, { minLength: 1, maxLength: members.length - 1 }),
        }),
      )
    fc.assert(
      fc.property(split, ({ members, left }) => {
        const right = members.filter((name) => !left.includes(name))
        const begins = (own: readonly string[], others: readonly string[]): boolean[] =>
          own.map(
            (node) => decideRepair({ ...well, node, members, view: sees(own, others) }).do === 'restart-app',
          )
        const sides = [begins(left, right), begins(right, left)]
        for (const side of sides) assert.equal(new Set(side).size, 1, 'the machines of one side agree')
        assert.equal(sides.filter((side) => side[0]).length, 1)
      }),
    )
  })
})

describe('rabbitmq: a boot that waits', () => {
  const stuck = { series: '3.10', unit: 'activating', startingMs: STUCK_MS, view: null } as const
  const two = new Set(['n2', 'n3'])
  table<RepairFacts, BrokerRepair>(decideRepair, { ...well, ...stuck, alive: two }, [
    ['for one that is dead', {}, { do: 'force-boot', why: 'waits for n1, which is dead' }],
    ['the next one lets it go ahead', { node: 'n3' }, { do: 'later', why: 'n2 goes ahead' }],
    ['not for long', { startingMs: STUCK_MS - 1 }, { do: 'later', why: 'is starting' }],
    ['all machines are there', { alive: new Set(all) }, { do: 'later', why: 'is starting' }],
    ['Consul does not say who is there', { alive: UNKNOWN }, { do: 'later', why: 'is starting' }],
    ['nobody has written down who ran', { recorded: null }, { do: 'later', why: 'is starting' }],
    [
      'it is not one of those that ran last',
      { recorded: ['n1', 'n3'] },
      { do: 'later', why: 'n3 goes ahead' },
    ],
    ['RabbitMQ 4', { series: '4.0' }, { do: 'later', why: 'is starting' }],
  ])

  test('nobody goes ahead who did not run last, and never two', () => {
    const some = fc.subarray([...all])
    fc.assert(
      fc.property(some, some, (recorded, alive) => {
        const ahead = all.filter(
          (node) =>
            decideRepair({ ...well, ...stuck, node, recorded, alive: new Set([...alive, node]) }).do ===
            'force-boot',
        )
        const real = ahead.filter((node) => alive.includes(node))
        assert.ok(real.length <= 1)
        for (const node of ahead) assert.ok(recorded.includes(node))
      }),
    )
  })
})
