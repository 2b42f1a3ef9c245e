import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { NO_WAIT } from '../../../lib/postgresql/decide-durability.ts'
import {
  decideFence,
  FENCE_AFTER_MS,
  type FenceFacts,
  type FencePlan,
} from '../../../lib/postgresql/decide-fence.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n1 was the primary of three; its cable was pulled long enough ago. */
const base: FenceFacts = {
  node: 'n1',
  local: { role: 'primary', timeline: 3 },
  members: 3,
  streaming: [],
  commit: { standbys: ['n2', 'n3'], count: 1 },
  leadership: UNKNOWN,
  ownSessions: UNKNOWN,
  waitedMs: FENCE_AFTER_MS,
}
const standby = {
  role: 'standby',
  timeline: 3,
  receivedLsn: 1n,
  replayedLsn: 1n,
  receiverStopped: true,
} as const
const own = { ownSessions: ['session-n1'] }

const cases: readonly Case<FenceFacts, FencePlan>[] = [
  ['Cut off from everybody', {}, { do: 'fence', why: 'too few standbys stream, and Consul does not answer' }],
  ['Cut off a moment ago', { waitedMs: FENCE_AFTER_MS - 1 }, { do: 'wait', why: 'Consul does not answer' }],
  [
    'Consul does not say which sessions are ours',
    { leadership: leadOfN1 },
    { do: 'fence', why: 'Consul does not answer' },
  ],
  [
    'Consul does not say who the primary is',
    own,
    { do: 'fence', why: 'too few standbys stream, and Consul does not answer' },
  ],
  [
    'Consul has given our lock back, and our standbys have left',
    { leadership: lockReleased, ownSessions: [] },
    { do: 'fence', why: 'too few standbys stream, and this machine does not hold the lock' },
  ],
  [
    'Consul has given our lock back a moment ago: we may still take it back',
    { leadership: lockReleased, ownSessions: [], waitedMs: 0 },
    { do: 'wait', why: 'this machine does not hold the lock' },
  ],
  [
    'Another machine has the lock and is not published yet',
    { leadership: lockTaken, ...own },
    { do: 'fence', why: 'this machine does not hold the lock' },
  ],
  [
    'Another machine was promoted',
    { leadership: leadOfN2, ...own },
    { do: 'fence', why: 'does not hold the lock' },
  ],
  [
    'Another machine is published, and the lock is ours by an old decision',
    { leadership: { leader: lock('n1', 'session-n1', 9), primary: published('n2', 4, 8) }, ...own },
    { do: 'fence', why: 'this machine does not hold the lock' },
  ],
  [
    'The lock is ours by name only: the session that holds it is not one of ours',
    { leadership: leadOfN1, ownSessions: ['another'] },
    { do: 'fence', why: 'this machine does not hold the lock' },
  ],
  [
    'The lock is ours: without standbys we go on',
    { leadership: leadOfN1, ...own },
    { do: 'nothing', why: 'this machine holds the lock' },
  ],
  [
    'The lock is ours since a moment ago, and is not published anew yet',
    { leadership: { leader: lock('n1', 'session-n1', 8), primary: published('n1', 3, 7) }, ...own },
    { do: 'nothing', why: 'this machine holds the lock' },
  ],
  [
    'Promoted under the lock, and not published yet',
    {
      local: { role: 'primary', timeline: 4 },
      leadership: { leader: lock('n1', 'session-n1', 9), primary: published('n2', 3, 8) },
      ...own,
    },
    { do: 'nothing', why: 'this machine holds the lock' },
  ],
  [
    'With a standby we go on without Consul',
    { streaming: ['n2'] },
    { do: 'nothing', why: 'stream from this primary: n2' },
  ],
  [
    'A standby streams that does not count: it confirms no commit, and its own voter waits for us to stop',
    { commit: { standbys: ['n2'], count: 1 }, streaming: ['n3'] },
    { do: 'fence', why: 'too few standbys stream, and Consul does not answer' },
  ],
  [
    'Fewer stream than a commit needs',
    { members: 5, commit: { standbys: ['n2', 'n3', 'n4', 'n5'], count: 2 }, streaming: ['n2'] },
    { do: 'fence', why: 'too few standbys stream' },
  ],
  [
    'As many stream as a commit needs',
    { members: 5, commit: { standbys: ['n2', 'n3', 'n4', 'n5'], count: 2 }, streaming: ['n2', 'n4'] },
    { do: 'nothing', why: 'stream from this primary: n2, n4' },
  ],
  [
    'Commits do not wait: any standby is as good',
    { commit: NO_WAIT, streaming: ['n3'] },
    { do: 'nothing', why: 'stream from this primary: n3' },
  ],
  ['Commits do not wait, and nobody streams', { commit: NO_WAIT }, { do: 'fence', why: 'too few standbys' }],
  [
    'With a standby we go on, and let the gate decide on the lock',
    { streaming: ['n2', 'n3'], leadership: lockReleased, ownSessions: [] },
    { do: 'nothing', why: 'stream from this primary: n2, n3' },
  ],
  [
    'Of two machines nobody else can be elected',
    { members: 2 },
    { do: 'nothing', why: 'a cluster of 2 cannot' },
  ],
  ['A single machine', { members: 1 }, { do: 'nothing', why: 'a cluster of 1 cannot' }],
  [
    'A standby',
    { local: standby, leadership: leadOfN2, ...own },
    { do: 'nothing', why: 'no primary runs on this machine' },
  ],
  [
    'PostgreSQL is stopped: Consul says where the address belongs',
    { local: { role: 'down' }, leadership: leadOfN1, ...own },
    { do: 'nothing', why: 'no primary runs on this machine' },
  ],
  [
    'PostgreSQL is stopped and Consul is away: the address must not stay',
    { local: { role: 'down' }, waitedMs: 0 },
    { do: 'withdraw', why: 'no primary runs on this machine, and Consul does not answer' },
  ],
  ['Neither answers', { local: UNKNOWN }, { do: 'withdraw', why: 'no primary runs on this machine' }],
  ['A standby without Consul', { local: standby }, { do: 'withdraw', why: 'Consul does not answer' }],
]
describe('fence', () => table(decideFence, base, cases))

test('fence: nobody is stopped who has the standbys that a commit needs, or its own published lock, or before the time', () => {
  const facts: fc.Arbitrary<FenceFacts> = fc.record({
    node: fc.constant('n1'),
    local: fc.constantFrom<FenceFacts['local']>(
      UNKNOWN,
      { role: 'down' },
      { role: 'primary', timeline: 3 },
      { role: 'standby', timeline: 3, receivedLsn: 1n, replayedLsn: 1n, receiverStopped: false },
    ),
    members: fc.integer({ min: 0, max: 5 }),
    streaming: fc.subarray(['n2', 'n3', 'n4']),
    commit: fc.constantFrom(
      NO_WAIT,
      { standbys: ['n2', 'n3'], count: 1 },
      { standbys: ['n2', 'n3'], count: 2 },
    ),
    leadership: fc.constantFrom<FenceFacts['leadership']>(
      UNKNOWN,
      leadOfN1,
      leadOfN2,
      lockReleased,
      lockTaken,
    ),
    ownSessions: fc.constantFrom<FenceFacts['ownSessions']>(UNKNOWN, [], ['session-n1'], ['another']),
    waitedMs: fc.constantFrom(0, FENCE_AFTER_MS),
  })
  fc.assert(
    fc.property(facts, (given) => {
      const plan = decideFence(given)
      const { local, members, streaming, commit, leadership, ownSessions, waitedMs } = given
      const confirm = streaming.filter((name) => commit.standbys.includes(name)).length
      const acknowledges = commit.count === 0 ? streaming.length > 0 : confirm >= commit.count
      const lone = local !== UNKNOWN && local.role === 'primary' && members >= 3 && !acknowledges
      const leads = leadership === leadOfN1 && ownSessions !== UNKNOWN && ownSessions.includes('session-n1')
      assert.equal(plan.do === 'fence', lone && !leads && waitedMs >= FENCE_AFTER_MS)
      const blind = leadership === UNKNOWN || ownSessions === UNKNOWN
      assert.equal(plan.do === 'withdraw', blind && (local === UNKNOWN || local.role !== 'primary'))
    }),
    { numRuns: 1000 },
  )
})
