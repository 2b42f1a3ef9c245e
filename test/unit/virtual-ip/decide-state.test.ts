import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideVirtualIpState,
  type VirtualIpStateFacts,
  type VirtualIpStatePlan,
  type VrrpState,
} from '../../../lib/virtual-ip/decide-state.ts'
import type { KeepalivedNode } from '../../../lib/virtual-ip/manifest.ts'
import { NOW } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

const EARLIER = '2026-01-01T00:00:00.000Z'
const document = (state: VrrpState, since: string, priority = 100): KeepalivedNode => ({
  schema: 1,
  priority,
  state,
  since,
})

/** A machine without the virtual IP that has published so. */
const base: VirtualIpStateFacts = {
  event: null,
  claims: true,
  holdsAddress: false,
  priority: 100,
  published: document('BACKUP', EARLIER),
  now: NOW,
}
const publish = (why: string, state: VrrpState) =>
  ({ do: 'publish', why, document: document(state, NOW) }) as const

const cases: readonly Case<VirtualIpStateFacts, VirtualIpStatePlan>[] = [
  ['Nothing has changed', {}, { do: 'nothing', why: 'the state BACKUP is already published' }],
  [
    'The virtual IP has come',
    { event: 'MASTER', holdsAddress: true },
    publish('the state changed from BACKUP to MASTER', 'MASTER'),
  ],
  [
    'The virtual IP is here and the event was missed',
    { holdsAddress: true },
    publish('the state changed from BACKUP to MASTER', 'MASTER'),
  ],
  [
    'The virtual IP has gone',
    { event: 'BACKUP', published: document('MASTER', EARLIER) },
    publish('the state changed from MASTER to BACKUP', 'BACKUP'),
  ],
  [
    'BACKUP arrives after MASTER, but the address is here',
    { event: 'BACKUP', holdsAddress: true, published: document('MASTER', EARLIER) },
    { do: 'nothing', why: 'the state MASTER is already published' },
  ],
  [
    'MASTER arrives late, and the address has gone',
    { event: 'MASTER' },
    { do: 'nothing', why: 'the state BACKUP is already published' },
  ],
  [
    'The interface has failed',
    { event: 'FAULT' },
    publish('the state changed from BACKUP to FAULT', 'FAULT'),
  ],
  [
    'FAULT arrives late, and the address is here',
    { event: 'FAULT', holdsAddress: true },
    publish('the state changed from BACKUP to MASTER', 'MASTER'),
  ],
  [
    'keepalived was stopped',
    { event: 'STOP', published: document('MASTER', EARLIER) },
    publish('the state changed from MASTER to STOP', 'STOP'),
  ],
  [
    'A fault lasts until an event ends it',
    { published: document('FAULT', EARLIER) },
    { do: 'nothing', why: 'the state FAULT is already published' },
  ],
  [
    'A stop lasts until an event ends it',
    { published: document('STOP', EARLIER) },
    { do: 'nothing', why: 'the state STOP is already published' },
  ],
  [
    'It was stopped, and the virtual IP is here all the same',
    { holdsAddress: true, published: document('STOP', EARLIER) },
    publish('the state changed from STOP to MASTER', 'MASTER'),
  ],
  [
    'An event ends a fault',
    { event: 'BACKUP', published: document('FAULT', EARLIER) },
    publish('the state changed from FAULT to BACKUP', 'BACKUP'),
  ],
  [
    'keepalived runs again',
    { event: 'BACKUP', published: document('STOP', EARLIER) },
    publish('the state changed from STOP to BACKUP', 'BACKUP'),
  ],
  [
    'keepalived speaks of a fault where the machine wants no address: that is none',
    { claims: false, event: 'FAULT' },
    { do: 'nothing', why: 'the state BACKUP is already published' },
  ],
  [
    'The machine no longer wants the address, which was here until now',
    { claims: false, event: 'FAULT', published: document('MASTER', EARLIER) },
    publish('the state changed from MASTER to BACKUP', 'BACKUP'),
  ],
  [
    'A fault was published, and the machine no longer wants the address',
    { claims: false, published: document('FAULT', EARLIER) },
    publish('the state changed from FAULT to BACKUP', 'BACKUP'),
  ],
  [
    'keepalived was stopped on a machine that wants no address',
    { claims: false, event: 'STOP' },
    publish('the state changed from BACKUP to STOP', 'STOP'),
  ],
  [
    'A stop lasts, whether or not the machine wants the address',
    { claims: false, published: document('STOP', EARLIER) },
    { do: 'nothing', why: 'the state STOP is already published' },
  ],
  [
    'It wants no address, and the address is here all the same',
    { claims: false, event: 'FAULT', holdsAddress: true },
    publish('the state changed from BACKUP to MASTER', 'MASTER'),
  ],
  ['First start', { published: null }, publish('no state was published before BACKUP', 'BACKUP')],
  [
    'The priority has changed: the state is as old as before',
    { published: document('BACKUP', EARLIER, 90) },
    { do: 'publish', why: 'the priority changed from 90 to 100', document: document('BACKUP', EARLIER) },
  ],
  [
    'Consul does not answer',
    { published: UNKNOWN, event: 'MASTER' },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
]
describe('virtual-ip-state', () => table(decideVirtualIpState, base, cases))

test('virtual-ip-state: what was published is not published again, and MASTER is exactly who has the address', () => {
  const state = fc.constantFrom<VrrpState>('MASTER', 'BACKUP', 'FAULT', 'STOP')
  const facts = fc.record({
    event: fc.option(state),
    claims: fc.boolean(),
    holdsAddress: fc.boolean(),
    priority: fc.constantFrom(90, 100),
    published: fc.option(
      fc.record({
        schema: fc.constant(1 as const),
        priority: fc.constantFrom(90, 100),
        state,
        since: fc.constant(EARLIER),
      }),
    ),
    now: fc.constant(NOW),
  })
  fc.assert(
    fc.property(facts, fc.boolean(), (before, eventAgain) => {
      const plan = decideVirtualIpState(before)
      const after = plan.document ?? before.published
      assert.equal(after?.state === 'MASTER', before.holdsAddress)
      // The same event again, or the periodic look without one.
      const event = eventAgain ? before.event : null
      assert.equal(decideVirtualIpState({ ...before, event, published: after, now: 'later' }).do, 'nothing')
    }),
    { numRuns: 500 },
  )
})
