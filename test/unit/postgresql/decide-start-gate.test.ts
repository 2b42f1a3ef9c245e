import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Leadership } from '../../../lib/consul/leadership.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideStartGate,
  type StartGateFacts,
  type StartGatePlan,
} from '../../../lib/postgresql/decide-start-gate.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n1, the published primary, boots after a power cut; nobody has taken its place. */
const base: StartGateFacts = {
  ours: true,
  node: 'n1',
  standbySignal: false,
  leadership: lockReleased,
  ownSessions: [],
  traces: null,
}

const none: Leadership = { leader: null, primary: null }
/** The cluster has its settings, and nothing that only a primary can have brought about. */
const founded = { config: true, members: [], sync: false } as const

const cases: readonly Case<StartGateFacts, StartGatePlan>[] = [
  [
    'The published primary boots and the lock is free',
    {},
    { do: 'lock', why: 'the lock is free', modifyIndex: 107 },
  ],
  [
    'The published primary was never locked in',
    { leadership: { leader: null, primary: published('n1', 3, 7) } },
    { do: 'lock', why: 'the lock is free', modifyIndex: 0 },
  ],
  [
    'It has the lock: start',
    { leadership: leadOfN1, ownSessions: ['session-n1'] },
    { do: 'allow', why: 'holds the lock' },
  ],
  [
    'Another member has just taken the lock',
    { leadership: lockTaken },
    { do: 'wait', why: 'n2 has taken the lock' },
  ],
  [
    'Our own lock, held by a session that is dead or not ours any more',
    { leadership: leadOfN1, ownSessions: ['other'] },
    { do: 'wait', why: 'n1 has taken the lock' },
  ],
  [
    'Another member has been promoted meanwhile',
    { leadership: leadOfN2 },
    { do: 'refuse', why: 'n2 is the primary' },
  ],
  [
    'Another member is published, and its lock is free',
    { leadership: { leader: lock('n2', null, 8), primary: published('n2', 4, 8) } },
    { do: 'refuse', why: 'n2 is the primary' },
  ],
  [
    'Another member is published and we hold the lock by an accident',
    { leadership: { leader: lock('n1', 'own', 9), primary: published('n2', 4, 8) }, ownSessions: ['own'] },
    { do: 'refuse', why: 'n2 is the primary' },
  ],
  [
    'A standby starts without asking',
    { standbySignal: true, leadership: leadOfN2 },
    { do: 'allow', why: 'as a standby' },
  ],
  [
    'A standby starts without Consul',
    { standbySignal: true, leadership: UNKNOWN, ownSessions: UNKNOWN },
    { do: 'allow', why: 'as a standby' },
  ],
  [
    'Without Consul nothing starts as a primary',
    { leadership: UNKNOWN },
    { do: 'wait', why: 'does not say who', withdraw: true },
  ],
  [
    'Consul does not say which sessions are ours',
    { ownSessions: UNKNOWN },
    { do: 'wait', why: 'does not say who', withdraw: true },
  ],
  [
    'The first machine, whose join has not published a primary yet',
    { leadership: none, traces: founded },
    { do: 'allow', why: 'no primary yet' },
  ],
  [
    'Its join was killed after it took the lock and before it published itself',
    { leadership: { leader: lock('n1', null, 1), primary: null }, traces: founded },
    { do: 'allow', why: 'no primary yet' },
  ],
  [
    'Somebody has deleted the published primary: another machine has held the lock',
    { leadership: { leader: lock('n2', null, 8), primary: null }, traces: founded },
    { do: 'wait', why: 'postgresql/primary is missing' },
  ],
  [
    'Somebody has deleted the published primary: there are members',
    { leadership: { leader: lock('n1', null, 8), primary: null }, traces: { ...founded, members: ['n1'] } },
    { do: 'wait', why: 'postgresql/primary is missing' },
  ],
  [
    'Somebody has deleted it and the lock: there are members',
    { leadership: none, traces: { ...founded, members: ['n2'] } },
    { do: 'wait', why: 'restore a snapshot' },
  ],
  [
    'Somebody has deleted it and the lock: there is an election rule',
    { leadership: none, traces: { ...founded, sync: true } },
    { do: 'wait', why: 'postgresql/primary is missing' },
  ],
  [
    'Consul was restored empty',
    { leadership: none, traces: { config: false, members: [], sync: false } },
    { do: 'wait', why: 'Consul holds no cluster' },
  ],
  [
    'Consul does not say what else it holds',
    { leadership: none, traces: UNKNOWN },
    { do: 'wait', why: 'does not say who' },
  ],
  [
    'It was not asked what else Consul holds',
    { leadership: none, traces: null },
    { do: 'wait', why: 'does not say who' },
  ],
  [
    'A standby starts whatever Consul has lost',
    { standbySignal: true, leadership: none, traces: { config: false, members: [], sync: false } },
    { do: 'allow', why: 'as a standby' },
  ],
]
describe('start gate', () => table(decideStartGate, base, cases))

test('start gate: a published cluster lets nobody start as a primary but the published one, with its own lock', () => {
  const facts = fc.record({
    node: fc.constantFrom('n1', 'n2'),
    standbySignal: fc.constant(false),
    leadership: fc.oneof(
      fc.constant(UNKNOWN),
      fc.record({
        leader: fc.option(
          fc
            .tuple(fc.constantFrom('n1', 'n2'), fc.option(fc.constantFrom('a', 'b')), fc.nat(3))
            .map((one) => lock(...one)),
        ),
        primary: fc.tuple(fc.constantFrom('n1', 'n2'), fc.nat(3), fc.nat(3)).map((one) => published(...one)),
      }),
    ),
    ownSessions: fc.oneof(fc.constant(UNKNOWN), fc.subarray(['a', 'b'])),
  })
  fc.assert(
    fc.property(facts, ({ node, leadership, ownSessions, ...rest }) => {
      const plan = decideStartGate({ ours: true, node, leadership, ownSessions, traces: null, ...rest })
      if (plan.do !== 'allow') return
      assert.ok(leadership !== UNKNOWN && ownSessions !== UNKNOWN)
      assert.equal(leadership.primary.node, node)
      assert.ok(leadership.leader?.session && ownSessions.includes(leadership.leader.session))
    }),
    { numRuns: 500 },
  )
})
