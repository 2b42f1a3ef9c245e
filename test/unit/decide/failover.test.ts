import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/decide/facts.ts'
import {
  decideFailover,
  type FailoverFacts,
  GIVE_WAY_MS,
  holdsLock,
  type Peer,
  SILENT_PEER_MS,
} from '../../../lib/decide/failover.ts'
import { lock, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n2, a standby, after n1 fell silent: the lock is free, n3 is a standby as good as we are and less preferred. */
const base: FailoverFacts = {
  self: { node: 'n2', repmgrId: 2, vipPriority: 90 },
  leader: lock('n1', null, 7),
  ownSessions: ['own'],
  startSessions: [],
  primary: published('n1', 3, 7),
  local: { role: 'standby', timeline: 3, receivedLsn: 500n },
  primaryDatabase: UNKNOWN,
  peers: [peer({})],
  waitedMs: 0,
}

function peer(difference: Partial<Peer>): Peer {
  return {
    node: 'n3',
    repmgrId: 3,
    vipPriority: 80,
    healthy: true,
    database: { role: 'standby', timeline: 3, receivedLsn: 500n },
    ...difference,
  }
}

const held = lock('n2', 'own', 8)
const standby = (timeline: number, receivedLsn: bigint) =>
  ({ role: 'standby', timeline, receivedLsn }) as const
const running = (timeline: number) => ({ role: 'primary', timeline }) as const
type Cases = readonly Case<FailoverFacts, ReturnType<typeof decideFailover>>[]

const cannotTell: Cases = [
  [
    'Consul does not say who holds the lock',
    { leader: UNKNOWN },
    { do: 'wait', why: 'no consistent answer' },
  ],
  ['Consul does not say who is published', { primary: UNKNOWN }, { do: 'wait', why: 'no consistent answer' }],
  [
    'Consul does not say which sessions are ours',
    { ownSessions: UNKNOWN },
    { do: 'wait', why: 'no consistent answer' },
  ],
  ['Before the first primary was published', { primary: null }, { do: 'leave', why: 'no primary yet' }],
  ['PostgreSQL here hangs', { local: UNKNOWN }, { do: 'wait', why: 'does not answer here' }],
  ['PostgreSQL here is stopped', { local: { role: 'down' } }, { do: 'leave', why: 'does not run here' }],
  ['The primary is well', { leader: lock('n1', 'theirs', 7) }, { do: 'settled', why: 'held by n1' }],
  ['Another member was quicker', { leader: lock('n3', 'theirs', 8) }, { do: 'settled', why: 'held by n3' }],
]
describe('failover: when there is nothing to decide', () => table(decideFailover, base, cannotTell))

const standbyCases: Cases = [
  ['The primary is gone: take the lock', {}, { do: 'lock', why: 'n1 is gone and no member is ahead of us' }],
  [
    'We hold the lock and nothing speaks against it',
    { leader: held },
    { do: 'promote', why: 'n1 is gone', session: 'own' },
  ],
  [
    'The lock was never taken, though a primary was published',
    { leader: null },
    { do: 'lock', why: 'n1 is gone and no member is ahead of us' },
  ],
  [
    'Consul has lost the primary, but its database still answers us',
    { primaryDatabase: running(3) },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
  [
    'The primary answers again while we hold the lock: give it back',
    { leader: held, primaryDatabase: running(3) },
    { do: 'unlock', why: 'the database of n1 still answers', session: 'own' },
  ],
  [
    'The published primary has become a standby: it does not lead any more',
    { leader: held, primaryDatabase: standby(3, 500n) },
    { do: 'promote', why: 'n1 is gone', session: 'own' },
  ],
  [
    'The published primary has stopped',
    { leader: held, primaryDatabase: { role: 'down' } },
    { do: 'promote', why: 'n1 is gone', session: 'own' },
  ],
  [
    'We have missed a failover: our data ends on an earlier timeline',
    { local: standby(2, 900n) },
    { do: 'wait', why: 'we are on timeline 2, the cluster on 3' },
  ],
  [
    'We have missed a failover and hold the lock',
    { leader: held, local: standby(2, 900n) },
    { do: 'unlock', why: 'we are on timeline 2, the cluster on 3', session: 'own' },
  ],
  [
    'Another member has been promoted and not been published yet',
    { leader: lock('n3', null, 8), peers: [peer({ database: running(4) })] },
    { do: 'wait', why: 'n3 runs as a primary already' },
  ],
  [
    'Another member runs as a primary while we hold the lock: it can publish nothing any more',
    { leader: held, peers: [peer({ database: running(4) })] },
    { do: 'promote', why: 'n1 is gone', session: 'own' },
  ],
  [
    'Another member runs as a primary and was not the last to hold the lock: it was replaced',
    { peers: [peer({ database: running(4) })] },
    { do: 'lock', why: 'n1 is gone' },
  ],
  [
    'The last holder of the lock is a former primary, on no later timeline than the published one',
    { leader: lock('n3', null, 8), peers: [peer({ database: running(3) })] },
    { do: 'lock', why: 'n1 is gone' },
  ],
  [
    'Another member has received one byte more',
    { peers: [peer({ database: standby(3, 501n) })] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'Another member has received more while we hold the lock',
    { leader: held, peers: [peer({ database: standby(3, 501n) })] },
    { do: 'unlock', why: 'n3 has received more', session: 'own' },
  ],
  [
    'Another member is on a later timeline, at an earlier position',
    { peers: [peer({ database: standby(4, 1n) })] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'Another member is at a later position, on an earlier timeline',
    { peers: [peer({ database: standby(2, 900n) })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'The member that is ahead cannot take the lock: Consul does not see it',
    { peers: [peer({ healthy: false, database: standby(3, 501n) })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'A healthy member does not tell its position: it may have what was acknowledged',
    { peers: [peer({ database: UNKNOWN })], waitedMs: SILENT_PEER_MS - 1 },
    { do: 'wait', why: 'does not tell what it has received' },
  ],
  [
    'A healthy member does not tell its position for long',
    { peers: [peer({ database: UNKNOWN })], waitedMs: SILENT_PEER_MS },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'A member that Consul calls dead does not tell its position',
    { peers: [peer({ database: UNKNOWN, healthy: false })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'A member is stopped',
    { peers: [peer({ database: { role: 'down' } })] },
    { do: 'lock', why: 'no member is ahead' },
  ],
  [
    'The published primary is no rival of its successor',
    { peers: [peer({ node: 'n1', database: standby(3, 900n) })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  ['The only member left', { peers: [] }, { do: 'lock', why: 'no member is ahead of us' }],
  [
    'The second of two others is the one that is ahead',
    { peers: [peer({}), peer({ node: 'n4', database: standby(3, 501n) })] },
    { do: 'wait', why: 'n4 has received more' },
  ],
  [
    'The published primary starts as a standby: its own database is not a witness against itself',
    { leader: lock('n2', 'own', 8), primary: published('n2', 3, 7), primaryDatabase: running(3) },
    { do: 'promote', why: 'no member is ahead of us', session: 'own' },
  ],
]
describe('failover: a standby', () => table(decideFailover, base, standbyCases))

const ties: Cases = [
  [
    'An equally good member with a higher priority goes first',
    { peers: [peer({ vipPriority: 100 })] },
    { do: 'wait', why: 'n3 is equally good and preferred' },
  ],
  [
    'The preferred one gets only so much time: one moment before',
    { peers: [peer({ vipPriority: 100 })], waitedMs: GIVE_WAY_MS - 1 },
    { do: 'wait', why: 'n3 is equally good and preferred' },
  ],
  [
    'The preferred one gets only so much time: over',
    { peers: [peer({ vipPriority: 100 })], waitedMs: GIVE_WAY_MS },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'We hold the lock already: a tie is no reason to give it back',
    { leader: held, peers: [peer({ vipPriority: 100 })] },
    { do: 'promote', why: 'no member is ahead of us', session: 'own' },
  ],
  [
    'Same priority: the lower repmgr id goes first',
    { peers: [peer({ vipPriority: 90, repmgrId: 1 })] },
    { do: 'wait', why: 'preferred' },
  ],
  [
    'Same priority: the higher repmgr id comes later',
    { peers: [peer({ vipPriority: 90 })] },
    { do: 'lock', why: 'no member is ahead' },
  ],
  [
    'A higher priority does not help a member that is behind',
    { peers: [peer({ vipPriority: 100, database: standby(3, 499n) })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'A higher priority does not help a member on an earlier timeline',
    { peers: [peer({ vipPriority: 100, database: standby(2, 500n) })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'A higher priority does not help a member that Consul does not see',
    { peers: [peer({ vipPriority: 100, healthy: false })] },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
  [
    'A preferred member that does not answer for long is not waited for',
    { peers: [peer({ vipPriority: 100, database: UNKNOWN })], waitedMs: SILENT_PEER_MS },
    { do: 'lock', why: 'no member is ahead of us' },
  ],
]
describe('failover: equally good standbys', () => table(decideFailover, base, ties))

/** n2 is the published primary and holds the lock. */
const asPrimary: FailoverFacts = {
  ...base,
  leader: lock('n2', 'own', 8),
  primary: published('n2', 4, 8),
  local: running(4),
}
const primaryCases: Cases = [
  ['All is well', {}, { do: 'settled', why: 'primary, and it holds the lock' }],
  [
    'Consul has lost our session: take the lock back',
    { leader: lock('n2', null, 8), ownSessions: [] },
    { do: 'lock', why: 'was free' },
  ],
  [
    'The lock was taken back: publish the new epoch',
    { leader: lock('n2', 'own', 9) },
    {
      do: 'publish',
      why: 'epoch is old',
      session: 'own',
      epoch: 9,
      timeline: 4,
      replaces: published('n2', 4, 8),
    },
  ],
  [
    'The timeline has changed under the same epoch',
    { local: running(5) },
    { do: 'publish', why: '', session: 'own', epoch: 8, timeline: 5, replaces: published('n2', 4, 8) },
  ],
  [
    'Just promoted: publish',
    { primary: published('n1', 3, 7) },
    {
      do: 'publish',
      why: 'not yet published',
      session: 'own',
      epoch: 8,
      timeline: 4,
      replaces: published('n1', 3, 7),
    },
  ],
  [
    'Promoted, and the session ended before it was published: take the lock back',
    { leader: lock('n2', null, 8), primary: published('n1', 3, 7) },
    { do: 'lock', why: 'promoted' },
  ],
  [
    'Promoted, not published, and another member has had the lock since',
    { leader: lock('n3', null, 9), primary: published('n1', 3, 7) },
    { do: 'leave', why: 'n1 is the primary' },
  ],
  [
    'Just started: hand the lock from the start gate to a lasting session',
    { startSessions: ['own'] },
    { do: 'adopt', why: 'PostgreSQL has started', session: 'own' },
  ],
  [
    'A former primary got the free lock by an old decision: it must not publish its old timeline',
    { primary: published('n3', 5, 7) },
    { do: 'unlock', why: 'n3 is the primary', session: 'own' },
  ],
  [
    'The same timeline as the published one is not a later one',
    { primary: published('n3', 4, 7) },
    { do: 'unlock', why: 'n3 is the primary', session: 'own' },
  ],
  [
    'A former primary was started under the lock of the start gate: it gives it back rather than adopts it',
    { primary: published('n3', 5, 7), startSessions: ['own'] },
    { do: 'unlock', why: 'n3 is the primary', session: 'own' },
  ],
  [
    'A start session that does not hold the lock is none of our business',
    { ownSessions: ['own', 'start'], startSessions: ['start'] },
    { do: 'settled', why: 'primary, and it holds the lock' },
  ],
  [
    'Another member has been promoted: this one touches nothing',
    { leader: lock('n3', 'theirs', 9), primary: published('n3', 5, 9) },
    { do: 'settled', why: 'held by n3' },
  ],
  [
    'Another member is published and has lost the lock: it is not ours to take',
    { leader: lock('n3', null, 9), primary: published('n3', 5, 9) },
    { do: 'leave', why: 'n3 is the primary' },
  ],
]
describe('failover: a running primary', () => table(decideFailover, asPrimary, primaryCases))

test('who holds the lock: a living session of our own, nothing else', () => {
  const own = ['own', 'starting']
  const cases: [string, Parameters<typeof holdsLock>[0], boolean][] = [
    ['ours', { leader: lock('n2', 'own', 8), ownSessions: own }, true],
    ['our start gate', { leader: lock('n2', 'starting', 8), ownSessions: own }, true],
    [
      'another machine, while our database still runs as a primary',
      { leader: lock('n3', 'theirs', 9), ownSessions: own },
      false,
    ],
    ['ours by name only: the session died', { leader: lock('n2', null, 8), ownSessions: own }, false],
    ['nobody ever', { leader: null, ownSessions: own }, false],
    ['Consul does not answer', { leader: UNKNOWN, ownSessions: own }, false],
    ['Consul does not tell our sessions', { leader: lock('n2', 'own', 8), ownSessions: UNKNOWN }, false],
  ]
  for (const [caption, facts, expected] of cases) assert.equal(holdsLock(facts), expected, caption)
})
