import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Leadership } from '../../../lib/consul/leadership.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideStartGate,
  type Finding,
  mayHaveConfirmed,
  SILENT_MEMBER_MS,
  type StartEvidence,
  type StartGateFacts,
  type StartGatePlan,
} from '../../../lib/postgresql/decide-start-gate.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n1, the published primary, boots after a power cut; nobody has taken its place. */
const base: StartGateFacts = {
  ours: true,
  node: 'n1',
  elsewhere: null,
  standbySignal: false,
  starts: null,
  leadership: lockReleased,
  ownSessions: [],
  traces: null,
  compared: false,
  evidence: { own: { timeline: 3, lsn: 500n }, found: [], silent: [] },
  waitedMs: 0,
}
/** The end of our data, and what the others have. */
const evidence = (
  own: readonly [timeline: number, lsn: bigint],
  found: readonly Finding[],
  silent: readonly string[] = [],
): StartEvidence => ({ own: { timeline: own[0], lsn: own[1] }, found, silent })
const consulHas = (timeline: number, lsn: bigint): Finding => ({ who: 'Consul', timeline, lsn })
const n2Has = (timeline: number, lsn: bigint): Finding => ({ who: 'n2', timeline, lsn })

const none: Leadership = { leader: null, primary: null }
/** The cluster has its settings, and nothing that only a primary can have brought about. */
const founded = { config: true, members: [], sync: false } as const

/** A standby whose starts have failed so often, one after the other. */
const failing = (failed: number, dueInMs: number): Partial<StartGateFacts> => ({
  ...{ standbySignal: true, leadership: UNKNOWN },
  starts: { failed, dueInMs, position: '0/1F4 0/0' },
})

const moved = 'data_directory of PostgreSQL is /srv/pgdata'

const cases: readonly Case<StartGateFacts, StartGatePlan>[] = [
  [
    'The data was moved, and a copy lies in its old place: PostgreSQL would start as a primary',
    { elsewhere: moved, ...failing(0, 0), leadership: leadOfN2 },
    { do: 'refuse', why: moved },
  ],
  ['The data was moved, and nobody took over', { elsewhere: moved }, { do: 'refuse', why: moved }],
  [
    'The data was moved, and Consul does not answer',
    { elsewhere: moved, leadership: UNKNOWN },
    { do: 'refuse', why: moved },
  ],
  [
    'It could not be read which data a standby would start from',
    { elsewhere: UNKNOWN, ...failing(0, 0) },
    { do: 'wait', why: 'could not be read' },
  ],
  [
    'It could not be read which data a primary would start from',
    { elsewhere: UNKNOWN },
    { do: 'wait', why: 'could not be read' },
  ],
  [
    'A standby starts for the first time, or again after it has come further',
    failing(0, 0),
    {
      do: 'allow',
      why: 'it starts as a standby',
      standby: true,
      starts: { failed: 0, position: '0/1F4 0/0' },
    },
  ],
  [
    'It is not known how its starts have ended',
    { standbySignal: true, starts: UNKNOWN },
    { do: 'allow', why: '', standby: true },
  ],
  [
    'It has failed to start, and the next start is due',
    failing(4, 0),
    {
      do: 'allow',
      why: 'it starts as a standby',
      standby: true,
      starts: { failed: 4, position: '0/1F4 0/0' },
    },
  ],
  [
    'It has failed to start a moment ago',
    failing(1, 4000),
    { do: 'wait', why: 'PostgreSQL has failed to start 1 time, and it is too early for the next attempt' },
  ],
  [
    'It has failed too often: it is rejoined',
    failing(5, 30_000),
    { do: 'refuse', why: 'PostgreSQL has failed to start 5 times' },
  ],
  [
    'It has failed too often, and once a minute it is tried all the same: it may be needed for an election',
    failing(7, -1),
    {
      do: 'allow',
      why: 'it starts as a standby',
      standby: true,
      starts: { failed: 7, position: '0/1F4 0/0' },
    },
  ],
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
    'Its data ends where Consul says that commits are confirmed',
    { evidence: evidence([3, 500n], [consulHas(3, 500n)]) },
    { do: 'lock', why: 'the lock is free', modifyIndex: 107 },
  ],
  [
    'Its data lacks a byte of what is confirmed',
    { evidence: evidence([3, 499n], [consulHas(3, 500n), n2Has(3, 400n)]) },
    {
      do: 'stale',
      why: 'this data is older than what was confirmed: it ends at 0/1F3 on timeline 3, and Consul has 0/1F4 on timeline 3',
    },
  ],
  [
    'A standby has more than it and than Consul has recorded',
    { evidence: evidence([3, 500n], [consulHas(3, 400n), n2Has(3, 501n)]) },
    { do: 'stale', why: 'n2 has 0/1F5 on timeline 3' },
  ],
  [
    'It is older, whoever else is silent: it does not wait for that',
    { evidence: evidence([3, 500n], [n2Has(3, 501n)], ['n3']) },
    { do: 'stale', why: 'n2 has 0/1F5 on timeline 3' },
  ],
  [
    'Its data is from before its own promotion',
    { evidence: evidence([2, 900n], [{ who: 'the published primary', timeline: 3, lsn: 0n }]) },
    { do: 'stale', why: 'it ends at 0/384 on timeline 2, and the published primary has 0/0 on timeline 3' },
  ],
  [
    'It was promoted since the position was recorded',
    { evidence: evidence([3, 100n], [consulHas(2, 900n)]) },
    { do: 'lock', why: 'the lock is free', modifyIndex: 107 },
  ],
  [
    'Members have not said yet how much they have',
    { evidence: evidence([3, 500n], [consulHas(3, 400n)], ['n2', 'n3']), waitedMs: SILENT_MEMBER_MS - 1 },
    { do: 'wait', why: 'how much n2 and n3 have' },
  ],
  [
    'One member has not said yet how much it has',
    { evidence: evidence([3, 500n], [consulHas(3, 400n)], ['n3']), waitedMs: SILENT_MEMBER_MS - 1 },
    { do: 'wait', why: 'how much n3 has' },
  ],
  [
    'The members have had their time: what Consul has recorded decides',
    { evidence: evidence([3, 500n], [consulHas(3, 400n)], ['n2', 'n3']), waitedMs: SILENT_MEMBER_MS },
    { do: 'lock', why: 'the lock is free', modifyIndex: 107 },
  ],
  [
    'The end of its data could not be read in time',
    { evidence: { own: UNKNOWN, found: [consulHas(3, 400n)], silent: [] }, waitedMs: SILENT_MEMBER_MS },
    { do: 'wait', why: 'could not be read in time; Consul has 0/190' },
  ],
  [
    'Consul does not say what is confirmed',
    { evidence: UNKNOWN, waitedMs: SILENT_MEMBER_MS },
    { do: 'wait', why: 'not known yet whether this data contains everything' },
  ],
  ['It was not asked', { evidence: null }, { do: 'wait', why: 'not known yet whether this data' }],
  [
    'It holds its lock still, and its data was compared since the boot: a restart in place',
    { leadership: leadOfN1, ownSessions: ['session-n1'], compared: true, evidence: null },
    { do: 'allow', why: 'holds the lock', compared: true },
  ],
  [
    'It has the lock, and all that was confirmed: start',
    { leadership: leadOfN1, ownSessions: ['session-n1'] },
    { do: 'allow', why: 'holds the lock', compared: true },
  ],
  [
    'All machines were off for a moment, Consul still has its session, and its data went back in time',
    {
      leadership: leadOfN1,
      ownSessions: ['session-n1'],
      evidence: evidence([3, 499n], [consulHas(3, 500n)]),
    },
    { do: 'stale', why: 'older than what was confirmed' },
  ],
  [
    'It holds a lock from before the boot, and nothing was asked',
    { leadership: leadOfN1, ownSessions: ['session-n1'], evidence: null },
    { do: 'wait', why: 'not known yet whether this data' },
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
    { do: 'allow', why: 'as a standby', standby: true },
  ],
  [
    'A standby starts without Consul',
    { standbySignal: true, leadership: UNKNOWN, ownSessions: UNKNOWN },
    { do: 'allow', why: 'as a standby', standby: true },
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
    { do: 'allow', why: 'as a standby', standby: true },
  ],
]
describe('start gate', () => table(decideStartGate, base, cases))

test('start gate: a published cluster lets nobody start as a primary but the published one, with its own lock', () => {
  const facts = fc.record({
    node: fc.constantFrom('n1', 'n2'),
    elsewhere: fc.constantFrom(null, UNKNOWN, 'moved'),
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
      const plan = decideStartGate({
        ours: true,
        node,
        starts: null,
        leadership,
        ownSessions,
        traces: null,
        compared: true,
        evidence: null,
        waitedMs: 0,
        ...rest,
      })
      if (plan.do !== 'allow') return
      assert.ok(leadership !== UNKNOWN && ownSessions !== UNKNOWN)
      assert.equal(leadership.primary.node, node)
      assert.ok(leadership.leader?.session && ownSessions.includes(leadership.leader.session))
    }),
    { numRuns: 500 },
  )
})

test('start gate: it takes the lock only with data that has all that is confirmed, and always in the end if it has', () => {
  const position = fc.record({ timeline: fc.integer({ min: 1, max: 3 }), lsn: fc.bigInt(0n, 3n) })
  const found = fc.array(position.map((one) => ({ who: 'one', ...one })))
  fc.assert(
    fc.property(position, found, fc.subarray(['n2', 'n3']), fc.boolean(), (own, all, silent, late) => {
      const waitedMs = late ? SILENT_MEMBER_MS : 0
      const plan = decideStartGate({ ...base, evidence: { own, found: all, silent }, waitedMs })
      const older = all.some(
        (one) => own.timeline < one.timeline || (own.timeline === one.timeline && own.lsn < one.lsn),
      )
      assert.equal(plan.do, older ? 'stale' : silent.length > 0 && !late ? 'wait' : 'lock')
    }),
    { numRuns: 1000 },
  )
})

describe('what a standby has may have been confirmed under the published primary', () => {
  for (const [caption, standby, mode, expected] of [
    ['a voter', { node: 'n2', timeline: 3 }, 'async', true],
    ['a later timeline was never published', { node: 'n2', timeline: 4 }, 'quorum', false],
    ['an earlier timeline is a beginning of this one', { node: 'n3', timeline: 2 }, 'async', true],
    [
      'async: it may be a promotion of the same number that was not published',
      { node: 'n3', timeline: 3 },
      'async',
      false,
    ],
    [
      'quorum: the primary was alone, and this one has what was confirmed before',
      { node: 'n3', timeline: 3 },
      'quorum',
      true,
    ],
  ] as const)
    test(caption, () => assert.equal(mayHaveConfirmed(standby, 3, mode, ['n2']), expected))
})
