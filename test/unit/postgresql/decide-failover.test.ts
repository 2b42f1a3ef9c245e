import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  AGENT_AWAY_MS,
  decideFailover,
  type FailoverFacts,
  FENCED_MS,
  GIVE_WAY_MS,
  holdsLock,
  type Peer,
  SILENT_AGAIN_MS,
  SILENT_MS,
  SILENT_PEER_MS,
  SILENT_VOTERS_MS,
  TAKE_BACK_MS,
} from '../../../lib/postgresql/decide-failover.ts'
import type { Sync } from '../../../lib/postgresql/manifest.ts'
import { lock, published, publishedBefore } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/**
 * n2, a standby, after n1 fell silent: the lock is free, both WAL receivers have stopped, both voters are needed, n3 is as good as we are
 * and less preferred.
 */
const base: FailoverFacts = {
  self: { node: 'n2', repmgrId: 2, vipPriority: 90, leadsConsul: false },
  leader: lock('n1', null, 7),
  ownSessions: ['own'],
  startSessions: [],
  primary: published('n1', 3, 7),
  sync: rule(2, 'n2', 'n3'),
  confirmed: { schema: 1, node: 'n1', timeline: 3, lsn: '0/1F4', standbys: 1 },
  local: stopped(3, 500n),
  primaryDatabase: UNKNOWN,
  silentMs: SILENT_MS,
  hasAnswered: false,
  peers: [peer({})],
  waitedMs: 0,
  heldMs: 0,
  primaryFails: false,
  unlockedMs: 0,
  promotionFailed: false,
}

function peer(difference: Partial<Peer>): Peer {
  return {
    node: 'n3',
    repmgrId: 3,
    vipPriority: 80,
    leadsConsul: false,
    healthy: true,
    database: stopped(3, 500n),
    ...difference,
  }
}
/** A standby whose WAL receiver has stopped. */
function stopped(timeline: number, receivedLsn: bigint) {
  return { role: 'standby', timeline, receivedLsn, replayedLsn: receivedLsn, receiverStopped: true } as const
}
/** So many of these must be seen. */
function rule(need: number, ...voters: string[]): Sync {
  return { schema: 1, node: 'n1', voters, need }
}

const held = lock('n2', 'own', 8)
const streaming = (timeline: number, receivedLsn: bigint) =>
  ({ role: 'standby', timeline, receivedLsn, replayedLsn: receivedLsn, receiverStopped: false }) as const
const running = (timeline: number) => ({ role: 'primary', timeline }) as const
const n4 = { node: 'n4', repmgrId: 4, vipPriority: 70 } as const
/** Commits did not wait: whoever is there may be promoted. */
const oneOfAll = { sync: rule(1, 'n2', 'n3') }
/** Of three standbys two must be seen. */
const twoOfThree = { sync: rule(2, 'n2', 'n3', 'n4') }
/** n1 answers, and its commits wait. */
const unlocked = {
  primaryDatabase: running(3),
  local: streaming(3, 500n),
  sync: { ...rule(2, 'n2', 'n3'), waits: true },
} as const
type Cases = readonly Case<FailoverFacts, ReturnType<typeof decideFailover>>[]

const goesOn: Cases = [
  ['The agent of the primary is away', unlocked, { do: 'watch', why: 'n1 serves without the lock' }],
  [
    'It has been away for a long time, but not for all of it in this run',
    { ...unlocked, waitedMs: TAKE_BACK_MS, unlockedMs: AGENT_AWAY_MS - 1 },
    { do: 'watch', why: 'n1 serves without the lock' },
  ],
  [
    'It stays away',
    { ...unlocked, waitedMs: TAKE_BACK_MS, unlockedMs: AGENT_AWAY_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'The database of the primary fails, as its disk is full',
    { ...unlocked, waitedMs: TAKE_BACK_MS, primaryFails: true },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'Its commits do not wait',
    { ...unlocked, waitedMs: TAKE_BACK_MS, sync: { ...rule(2, 'n2', 'n3'), waits: false } },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'A primary of an older release does not say whether its commits wait',
    { ...unlocked, waitedMs: TAKE_BACK_MS, sync: rule(2, 'n2', 'n3') },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'Another machine has had the lock meanwhile',
    { ...unlocked, waitedMs: TAKE_BACK_MS, leader: lock('n3', null, 8) },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'This machine has left the primary already: it waits for nothing but the end of the primary',
    { ...unlocked, local: stopped(3, 500n), waitedMs: TAKE_BACK_MS },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
]

describe('failover: a primary that goes on without its lock', () => table(decideFailover, base, goesOn))

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
  ['PostgreSQL here hangs', { local: UNKNOWN }, { do: 'wait', why: 'on this machine does not answer' }],
  [
    'PostgreSQL here is stopped',
    { local: { role: 'down' } },
    { do: 'leave', why: 'on this machine does not run' },
  ],
  ['The primary is well', { leader: lock('n1', 'theirs', 7) }, { do: 'settled', why: 'held by n1' }],
  ['Another member was quicker', { leader: lock('n3', 'theirs', 8) }, { do: 'settled', why: 'held by n3' }],
]
describe('failover: when there is nothing to decide', () => table(decideFailover, base, cannotTell))

const standbyCases: Cases = [
  [
    'The primary is gone: take the lock',
    {},
    { do: 'lock', why: 'n1 is gone; of the voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'We hold the lock and nothing speaks against it',
    { leader: held },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
  [
    'The lock was never taken, though a primary was published',
    { leader: null },
    { do: 'lock', why: 'n1 is gone; of the voters seen (2), none', modifyIndex: 0 },
  ],
  [
    'The published primary has become a standby: it does not lead any more',
    { leader: held, primaryDatabase: streaming(3, 500n) },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
  [
    'The published primary has stopped',
    { leader: held, primaryDatabase: { role: 'down' } },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
  [
    'We have missed a failover: our data ends on an earlier timeline',
    { local: stopped(2, 900n) },
    { do: 'wait', why: 'this machine is on timeline 2, the cluster on 3' },
  ],
  [
    'We have missed a failover and hold the lock',
    { leader: held, local: stopped(2, 900n) },
    { do: 'unlock', why: 'this machine is on timeline 2, the cluster on 3', session: 'own' },
  ],
  [
    'We have missed a failover: we go on receiving',
    { local: streaming(2, 900n) },
    { do: 'wait', why: 'this machine is on timeline 2, the cluster on 3' },
  ],
  [
    'The published primary starts as a standby: its own database is not a witness against itself',
    { leader: lock('n2', 'own', 8), primary: published('n2', 3, 7), primaryDatabase: running(3) },
    { do: 'promote', why: 'voters seen (2), none', session: 'own', timeline: 3 },
  ],
]
describe('failover: a standby', () => table(decideFailover, base, standbyCases))

const freely: FailoverFacts['sync'] = { ...rule(1, 'n2', 'n3'), waits: false }
const unfencedCases: Cases = [
  [
    'Commits did not wait, and n1 is silent: it may be cut off, and acknowledge what its clients send',
    { sync: freely, unlockedMs: FENCED_MS - 1 },
    { do: 'wait', why: 'n1 is silent, and may acknowledge commits until it has stopped itself' },
  ],
  [
    'It has had the time to stop itself',
    { sync: freely, waitedMs: GIVE_WAY_MS, unlockedMs: FENCED_MS },
    { do: 'lock', why: 'none has received more WAL', modifyIndex: 107 },
  ],
  [
    'Its database is known not to run',
    { sync: freely, waitedMs: GIVE_WAY_MS, primaryDatabase: { role: 'down' } },
    { do: 'lock', why: 'none has received more WAL', modifyIndex: 107 },
  ],
  [
    'Commits did wait',
    { sync: { ...rule(1, 'n2', 'n3'), waits: true }, waitedMs: GIVE_WAY_MS },
    { do: 'lock', why: 'none has received more WAL', modifyIndex: 107 },
  ],
]
describe('failover: a primary whose commits did not wait', () => table(decideFailover, base, unfencedCases))

const answers = { primaryDatabase: running(3) }
const receiverCases: Cases = [
  [
    'Replay is paused as a setting is too small: nothing could be stopped or promoted',
    { local: streaming(3, 500n), shortages: [{ name: 'max_worker_processes', value: 8, needed: 32 }] },
    { do: 'restart', why: 'replay is paused: max_worker_processes is 8 here and 32 on the primary' },
  ],
  [
    'Replay is paused, and nobody could say why: a promotion might end the server',
    { local: streaming(3, 500n), shortages: UNKNOWN },
    { do: 'wait', why: 'replay is paused, and the database does not say why' },
  ],
  [
    'Replay is paused, and n1 is alive: it may take the lock back',
    {
      ...{ local: streaming(3, 500n), primaryDatabase: running(3) },
      shortages: [{ name: 'max_worker_processes', value: 8, needed: 32 }],
    },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
  [
    'The primary is gone: take nothing more from it, before anything else',
    { local: streaming(3, 500n) },
    { do: 'stop-receiver', why: 'n1 is gone' },
  ],
  [
    'We hold the lock and receive from somebody again: stop the WAL receiver first',
    { leader: held, local: streaming(3, 500n) },
    { do: 'stop-receiver', why: 'n1 is gone' },
  ],
  [
    'Consul has lost the primary, but its database still answers us: it may take its lock back',
    { ...answers, local: streaming(3, 500n), waitedMs: TAKE_BACK_MS - 1 },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
  [
    'It has not taken its lock back: leave it, so that it can acknowledge nothing any more',
    { ...answers, local: streaming(3, 500n), waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'We have left it and it still answers: it has to stop first, however long that takes',
    { ...answers, waitedMs: 100 * TAKE_BACK_MS },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
  [
    'The primary answers again while we hold the lock: give it back',
    { ...answers, leader: held },
    { do: 'unlock', why: 'the database of n1 still answers', session: 'own' },
  ],
  [
    'It answers, and we may not be promoted: we stay with it',
    { ...answers, sync: rule(1, 'n3'), local: streaming(3, 500n), waitedMs: TAKE_BACK_MS - 1 },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
  [
    'It has not taken its lock back, and we may not be promoted: we leave it too, or it would not stop',
    { ...answers, sync: rule(1, 'n3'), local: streaming(3, 500n), waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'The same for a standby that has missed a failover',
    { ...answers, local: streaming(2, 500n), waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'It is silent for us, but may still be there for its standbys: we leave it',
    { sync: rule(1, 'n3'), local: streaming(3, 500n), waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'Nobody but the primary may be promoted: we stay with it',
    { ...answers, sync: rule(1), local: streaming(3, 500n), waitedMs: TAKE_BACK_MS },
    { do: 'wait', why: 'this machine is not a voter' },
  ],
  [
    'It answers as a primary of an earlier timeline than was published: a primary all the same',
    { primaryDatabase: running(2) },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
]
describe('failover: the WAL receiver stops', () => table(decideFailover, base, receiverCases))

const silenceCases: Cases = [
  [
    'It has just fallen silent: prepare everything',
    { local: streaming(3, 500n), silentMs: 1 },
    { do: 'stop-receiver', why: 'n1 is gone' },
  ],
  ['The same: take the lock', { silentMs: 1 }, { do: 'lock', why: 'n1 is gone', modifyIndex: 107 }],
  [
    'We hold the lock: it is given time for a late answer before we are promoted',
    { leader: held, silentMs: SILENT_MS - 1 },
    { do: 'wait', why: 'n1 has not been silent for 500 ms' },
  ],
  [
    'It has answered this run, and is slow now: leave everything as it is',
    { hasAnswered: true, local: streaming(3, 500n), silentMs: SILENT_AGAIN_MS - 1 },
    { do: 'wait', why: 'n1 has not been silent for 2000 ms' },
  ],
  [
    'It has answered this run, and is silent for good',
    { hasAnswered: true, silentMs: SILENT_AGAIN_MS },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'Nobody listens there any more: that is an answer',
    { leader: held, hasAnswered: true, silentMs: 0, primaryDatabase: { role: 'down' } },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
]
describe('failover: a primary that does not answer', () => table(decideFailover, base, silenceCases))

const lags = { ...stopped(3, 500n), replayedLsn: 400n }
const first = { self: { ...base.self, vipPriority: 100 } }
const replayCases: Cases = [
  [
    'We have not replayed everything, and another voter has: it is preferred',
    { ...first, local: lags },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'The same, and it does not take the lock',
    { ...first, local: lags, waitedMs: GIVE_WAY_MS },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'A preferred voter has not replayed everything, and we have',
    { peers: [peer({ vipPriority: 100, database: lags })] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'Neither has replayed everything',
    { ...first, local: lags, peers: [peer({ database: lags })] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'PostgreSQL does not become the primary, and another voter has as much: it shall try',
    { ...first, leader: held, promotionFailed: true },
    { do: 'unlock', why: 'n3 has as much', session: 'own', restart: true },
  ],
  [
    'PostgreSQL did not become the primary, and another voter has not taken the lock yet',
    { ...first, promotionFailed: true },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'PostgreSQL does not become the primary, and the other voter cannot take the lock',
    { leader: held, promotionFailed: true, peers: [peer({ healthy: false })] },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
]
describe('failover: replay', () => table(decideFailover, base, replayCases))

const confirmedAt = (timeline: number, lsn: string, standbys = 1) =>
  ({ confirmed: { schema: 1, node: 'n1', timeline, lsn, standbys } }) as const
const lacking = 'this machine lacks WAL that was confirmed'
const confirmedCases: Cases = [
  [
    'Our data went back in time, and so did that of all others',
    confirmedAt(3, '0/1F5'),
    { do: 'wait', why: lacking },
  ],
  [
    'The same while we hold the lock',
    { ...confirmedAt(3, '0/1F5'), leader: held },
    { do: 'unlock', why: lacking, session: 'own' },
  ],
  ['It was confirmed on a later timeline', confirmedAt(4, '0/1'), { do: 'wait', why: lacking }],
  [
    'On an earlier timeline it says nothing of ours',
    confirmedAt(2, '0/FFFF'),
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'No standby had confirmed it: commits did not wait',
    confirmedAt(3, '0/FFFF', 0),
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  ['Nothing was recorded yet', { confirmed: null }, { do: 'lock', why: 'n1 is gone', modifyIndex: 107 }],
  ['Consul does not say what was', { confirmed: UNKNOWN }, { do: 'wait', why: 'no consistent answer' }],
]
describe('failover: what was confirmed', () => table(decideFailover, base, confirmedCases))

const alive = (sqlstate: string, says: string) => ({ role: 'alive', sqlstate, says }) as const
const full = { primaryDatabase: alive('53300', 'too many connections') }
const lockedOut = { primaryDatabase: alive('28P01', 'password authentication failed') }
const starting = { primaryDatabase: alive('57P03', 'the database system is starting up') }
const fullWhy = 'the database of n1 is alive: too many connections'
const startingWhy = 'the database of n1 is alive: the database system is starting up'
const follows = { local: streaming(3, 500n) }
const aliveCases: Cases = [
  ['It has no connection left for us', full, { do: 'wait', why: fullWhy }],
  [
    'It does not let us in',
    lockedOut,
    { do: 'wait', why: 'the database of n1 is alive: password authentication failed' },
  ],
  ['It starts', starting, { do: 'wait', why: startingWhy }],
  [
    'It has no connection left, while we hold the lock: give it back',
    { ...full, leader: held },
    { do: 'unlock', why: fullWhy, session: 'own' },
  ],
  [
    'It starts, while we hold the lock: give it back',
    { ...starting, leader: held },
    { do: 'unlock', why: startingWhy, session: 'own' },
  ],
  [
    'It may take its lock back: one moment before the end',
    { ...full, ...follows, waitedMs: TAKE_BACK_MS - 1 },
    { do: 'wait', why: fullWhy },
  ],
  [
    'It has not taken its lock back: leave it',
    { ...full, ...follows, waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'We have left it: it may have clients, so it has to stop first, however long that takes',
    { ...full, waitedMs: 100 * TAKE_BACK_MS },
    { do: 'wait', why: fullWhy },
  ],
  [
    'We have left it, and it does not let us in: the same',
    { ...lockedOut, waitedMs: 100 * TAKE_BACK_MS },
    { do: 'wait', why: 'password authentication failed' },
  ],
  [
    'It goes on starting, and we follow it: leave it',
    { ...starting, ...follows, waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'It goes on starting, and we have left it before its time is over',
    { ...starting, waitedMs: TAKE_BACK_MS - 1 },
    { do: 'wait', why: startingWhy },
  ],
  [
    'It goes on starting, and we have left it: it can acknowledge nothing',
    { ...starting, waitedMs: TAKE_BACK_MS },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'The same with the lock',
    { ...starting, leader: held, waitedMs: TAKE_BACK_MS },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
  [
    'It goes on starting, and another voter still receives: make it stop',
    { ...starting, peers: [peer({ database: streaming(3, 500n) })], waitedMs: TAKE_BACK_MS },
    { do: 'stop-other-receivers', why: 'n3', nodes: ['n3'] },
  ],
  [
    'It goes on starting, and another voter has not been seen: that one may have what was acknowledged',
    { ...starting, peers: [peer({ database: UNKNOWN })], waitedMs: TAKE_BACK_MS },
    { do: 'wait', why: '1 of the 2' },
  ],
  [
    'It goes on starting, and we are no voter: leave it',
    { ...starting, ...follows, sync: rule(1, 'n3'), waitedMs: TAKE_BACK_MS },
    { do: 'stop-receiver', why: 'n1 has lost the lock' },
  ],
  [
    'It has come up meanwhile as a primary',
    { primaryDatabase: running(3), leader: held, waitedMs: 100 * TAKE_BACK_MS },
    { do: 'unlock', why: 'the database of n1 still answers', session: 'own' },
  ],
  [
    'We are the published primary and start as a standby: our own database is no witness against us',
    { ...full, leader: held, primary: published('n2', 3, 7) },
    { do: 'promote', why: 'none', session: 'own', timeline: 3 },
  ],
]
describe('failover: a primary that is alive, but does not say what it is', () =>
  table(decideFailover, base, aliveCases))

const fullPeer = { database: alive('53300', 'too many connections') } as const
const alivePeers: Cases = [
  [
    'A voter has no connection left for us: it is not seen',
    { peers: [peer(fullPeer)] },
    { do: 'wait', why: 'n3 (too many connections)' },
  ],
  [
    'It need not be seen',
    { ...twoOfThree, peers: [peer(fullPeer), peer(n4)] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'It cannot be made to stop its WAL receiver',
    { peers: [peer(fullPeer)], waitedMs: 100 * TAKE_BACK_MS },
    { do: 'wait', why: 'n3 (too many connections)' },
  ],
  [
    'Commits did not wait, and it does not say what it has received',
    { ...oneOfAll, peers: [peer(fullPeer)], waitedMs: SILENT_PEER_MS - 1 },
    { do: 'wait', why: 'n3 has not said how much WAL it has received (too many connections)' },
  ],
  [
    'The same for long',
    { ...oneOfAll, peers: [peer(fullPeer)], waitedMs: SILENT_PEER_MS },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'The last holder of the lock is alive: it may have been promoted and be about to publish itself',
    {
      leader: lock('n3', null, 8),
      ...twoOfThree,
      peers: [peer(fullPeer), peer(n4)],
      waitedMs: TAKE_BACK_MS - 1,
    },
    { do: 'wait', why: 'n3 held the lock last, and its database is alive: too many connections' },
  ],
  [
    'The last holder of the lock has had its time',
    {
      leader: lock('n3', null, 8),
      ...twoOfThree,
      peers: [peer(fullPeer), peer(n4)],
      waitedMs: TAKE_BACK_MS,
    },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 108 },
  ],
  [
    'The last holder of the lock is alive, and dead as Consul says: it cannot take the lock',
    { leader: lock('n3', null, 8), ...twoOfThree, peers: [peer({ ...fullPeer, healthy: false }), peer(n4)] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 108 },
  ],
  [
    'The published primary is no rival of its successor, alive or not',
    { peers: [peer({}), peer({ ...fullPeer, node: 'n1' })] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
]
describe('failover: other members that are alive, but do not say what they are', () =>
  table(decideFailover, base, alivePeers))

const mayLack = 'not a voter: it may lack acknowledged commits'
const permission: Cases = [
  ['Consul does not say who may be promoted', { sync: UNKNOWN }, { do: 'wait', why: 'no consistent answer' }],
  [
    'Consul does not say who may be promoted, and we hold the lock: keep it until it does',
    { sync: UNKNOWN, leader: held },
    { do: 'wait', why: 'no consistent answer' },
  ],
  ['No primary has written yet who may', { sync: null }, { do: 'wait', why: mayLack }],
  ['Nobody may', { sync: rule(1) }, { do: 'wait', why: mayLack }],
  ['Others may', { sync: rule(1, 'n3') }, { do: 'wait', why: mayLack }],
  [
    'Others may, and we hold the lock',
    { sync: rule(1, 'n3'), leader: held },
    { do: 'unlock', why: mayLack, session: 'own' },
  ],
  [
    'Others may: we go on receiving, so that nobody loses us',
    { sync: rule(1, 'n3'), local: streaming(3, 500n) },
    { do: 'wait', why: mayLack },
  ],
  [
    'We are on a later timeline, and others may',
    { sync: rule(1, 'n3'), local: stopped(4, 900n) },
    { do: 'wait', why: mayLack },
  ],
  ['We alone may', { sync: rule(1, 'n2') }, { do: 'lock', why: 'voters seen (1), none', modifyIndex: 107 }],
  [
    'We alone may, and one that may not has received more: nothing of that was acknowledged',
    { sync: rule(1, 'n2'), peers: [peer({ database: stopped(3, 900n) })] },
    { do: 'lock', why: 'voters seen (1), none', modifyIndex: 107 },
  ],
  [
    'We alone may, and there is nobody else',
    { sync: rule(1, 'n2'), peers: [] },
    { do: 'lock', why: 'seen (1)', modifyIndex: 107 },
  ],
]
describe('failover: who may be promoted', () => table(decideFailover, base, permission))

/** How long others have to stop their WAL receivers by themselves. */
const STOP_OTHERS_MS = 2000
const moving = peer({ database: streaming(3, 500n) })
const othersCases: Cases = [
  [
    'A voter that is needed has had its time to stop its WAL receiver: stop it',
    { peers: [moving], waitedMs: STOP_OTHERS_MS },
    { do: 'stop-other-receivers', why: 'not stopped by themselves: n3', nodes: ['n3'] },
  ],
  [
    'One moment before',
    { peers: [moving], waitedMs: STOP_OTHERS_MS - 1 },
    { do: 'wait', why: '1 of the 2 voters needed have stopped their WAL receivers; waiting for n3' },
  ],
  [
    'We hold the lock: it is needed all the same',
    { leader: held, peers: [moving], waitedMs: STOP_OTHERS_MS },
    { do: 'stop-other-receivers', why: 'n3', nodes: ['n3'] },
  ],
  [
    'All voters that still receive are stopped; one that is no voter is left alone',
    {
      sync: rule(3, 'n2', 'n3', 'n4', 'n5'),
      peers: [moving, peer({ ...n4 }), { ...moving, node: 'n5' }, { ...moving, node: 'n6' }],
      waitedMs: STOP_OTHERS_MS,
    },
    { do: 'stop-other-receivers', why: 'not stopped by themselves: n3, n5', nodes: ['n3', 'n5'] },
  ],
  [
    'Enough have stopped: the others may go on',
    { ...twoOfThree, peers: [moving, peer(n4)], waitedMs: STOP_OTHERS_MS },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'There is no WAL receiver to stop: it does not answer',
    { peers: [peer({ database: UNKNOWN })], waitedMs: STOP_OTHERS_MS },
    { do: 'wait', why: '1 of the 2 voters needed have stopped their WAL receivers; waiting for n3' },
  ],
  [
    'It has received more, so that it is the better candidate',
    { peers: [peer({ database: streaming(3, 501n) })], waitedMs: STOP_OTHERS_MS },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'The primary still answers us: its standbys are left alone',
    { ...answers, peers: [moving], waitedMs: 100 * STOP_OTHERS_MS },
    { do: 'wait', why: 'the database of n1 still answers' },
  ],
]
describe('failover: others whose WAL receivers run', () => table(decideFailover, base, othersCases))

const missing = '1 of the 2 voters needed have stopped their WAL receivers; waiting for n3'
const seeing: Cases = [
  [
    'A voter that is needed still receives from somebody',
    { peers: [peer({ database: streaming(3, 500n) })] },
    { do: 'wait', why: missing },
  ],
  [
    'It does so while we hold the lock',
    { leader: held, peers: [peer({ database: streaming(3, 500n) })] },
    { do: 'unlock', why: missing, session: 'own' },
  ],
  ['It does not answer', { peers: [peer({ database: UNKNOWN })] }, { do: 'wait', why: missing }],
  [
    'It does not answer, for however long',
    { peers: [peer({ database: UNKNOWN })], waitedMs: 100 * SILENT_PEER_MS },
    { do: 'wait', why: missing },
  ],
  [
    'Consul calls it dead, and it does not answer',
    { peers: [peer({ database: UNKNOWN, healthy: false })] },
    { do: 'wait', why: missing },
  ],
  ['It is stopped', { peers: [peer({ database: { role: 'down' } })] }, { do: 'wait', why: missing }],
  ['It is no member any more', { peers: [] }, { do: 'wait', why: missing }],
  [
    'We hold the lock, and it answered before that: it is busy',
    { leader: held, peers: [peer({ database: UNKNOWN })], heldMs: SILENT_VOTERS_MS - 1 },
    { do: 'wait', why: missing },
  ],
  [
    'It does not answer in time either',
    { leader: held, peers: [peer({ database: UNKNOWN })], heldMs: SILENT_VOTERS_MS },
    { do: 'unlock', why: missing, session: 'own' },
  ],
  [
    'We hold the lock, and Consul calls it dead',
    { leader: held, peers: [peer({ database: UNKNOWN, healthy: false })] },
    { do: 'unlock', why: missing, session: 'own' },
  ],
  [
    'We hold the lock, and with the silent one there would still be one too few',
    {
      ...{ leader: held, sync: rule(3, 'n2', 'n3', 'n4', 'n5') },
      peers: [peer({ database: UNKNOWN }), peer({ ...n4, database: { role: 'down' } })],
    },
    { do: 'unlock', why: '1 of the 3 voters needed', session: 'own' },
  ],
  [
    'It runs as a primary that was replaced: it is no standby whose WAL receiver has stopped',
    { peers: [peer({ database: running(4) })] },
    { do: 'wait', why: missing },
  ],
  [
    'Consul calls it dead, but it answers us: it is seen',
    { peers: [peer({ healthy: false })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A member that is no voter does not count',
    { peers: [peer({ database: UNKNOWN }), peer(n4)] },
    { do: 'wait', why: missing },
  ],
  [
    'Of three voters one is silent: two are enough',
    { ...twoOfThree, peers: [peer({ database: UNKNOWN }), peer(n4)] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'Of three voters two are silent',
    { ...twoOfThree, peers: [peer({ database: UNKNOWN }), peer({ ...n4, database: UNKNOWN })] },
    { do: 'wait', why: '1 of the 2 voters needed have stopped their WAL receivers; waiting for n3, n4' },
  ],
  [
    'Of four voters three must be seen, and one is missing',
    {
      sync: rule(3, 'n2', 'n3', 'n4', 'n5'),
      peers: [peer({}), peer({ ...n4, database: streaming(3, 1n) })],
    },
    { do: 'wait', why: '2 of the 3 voters needed have stopped their WAL receivers; waiting for n4, n5' },
  ],
  [
    'The published primary is no rival of its successor',
    { peers: [peer({}), peer({ node: 'n1', database: stopped(3, 900n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
]
describe('failover: who must be seen', () => table(decideFailover, base, seeing))

const ahead: Cases = [
  [
    'Another voter has received one byte more',
    { peers: [peer({ database: stopped(3, 501n) })] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'Another voter has received more while we hold the lock',
    { leader: held, peers: [peer({ database: stopped(3, 501n) })] },
    { do: 'unlock', why: 'n3 has received more', session: 'own' },
  ],
  [
    'Another voter is on a later timeline, at an earlier position',
    { peers: [peer({ database: stopped(4, 1n) })] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'Another voter is at a later position, on an earlier timeline',
    { peers: [peer({ database: stopped(2, 900n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'The voter that is ahead still receives',
    { ...twoOfThree, peers: [peer({ database: streaming(3, 501n) }), peer(n4)] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'The voter that is ahead cannot take the lock: what it has may have been acknowledged all the same',
    { peers: [peer({ healthy: false, database: stopped(3, 501n) })] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'The voter that is ahead cannot take the lock, and commits did not wait: nobody waits for it, either',
    { ...oneOfAll, peers: [peer({ healthy: false, database: stopped(3, 501n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'Commits did not wait, and a healthy member is ahead',
    { ...oneOfAll, peers: [peer({ database: stopped(3, 501n) })] },
    { do: 'wait', why: 'n3 has received more' },
  ],
  [
    'The second of two others is the one that is ahead',
    { ...twoOfThree, peers: [peer({}), peer({ ...n4, database: stopped(3, 501n) })] },
    { do: 'wait', why: 'n4 has received more' },
  ],
  [
    'One that is no voter is ahead: nothing of that was acknowledged',
    { peers: [peer({}), peer({ ...n4, database: stopped(3, 501n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
]
describe('failover: who is ahead', () => table(decideFailover, base, ahead))

const promoted = peer({ database: running(4) })
const rivals: Cases = [
  [
    'Another member has been promoted and not been published yet',
    { leader: lock('n3', null, 8), peers: [promoted] },
    { do: 'wait', why: 'n3 already runs as a primary' },
  ],
  [
    'Another member has been promoted and not been published yet: also where it need not be seen',
    { leader: lock('n3', null, 8), ...twoOfThree, peers: [promoted, peer(n4)] },
    { do: 'wait', why: 'n3 already runs as a primary' },
  ],
  [
    'Another member runs as a primary while we hold the lock: it can publish nothing any more',
    { leader: held, ...twoOfThree, peers: [promoted, peer(n4)] },
    { do: 'promote', why: 'n1 is gone', session: 'own', timeline: 3 },
  ],
  [
    'Another member runs as a primary and was not the last to hold the lock: it was replaced',
    { ...twoOfThree, peers: [promoted, peer(n4)] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 107 },
  ],
  [
    'The last holder of the lock is a former primary, on no later timeline than the published one',
    { leader: lock('n3', null, 8), ...twoOfThree, peers: [peer({ database: running(3) }), peer(n4)] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 108 },
  ],
  [
    'The member that was promoted and not published is dead, as Consul says',
    { leader: lock('n3', null, 8), ...twoOfThree, peers: [{ ...promoted, healthy: false }, peer(n4)] },
    { do: 'lock', why: 'n1 is gone', modifyIndex: 108 },
  ],
]
describe('failover: others that run as a primary', () => table(decideFailover, base, rivals))

const silence: Cases = [
  [
    'Commits did not wait: a healthy member does not say its position',
    { ...oneOfAll, peers: [peer({ database: UNKNOWN })], waitedMs: SILENT_PEER_MS - 1 },
    { do: 'wait', why: 'n3 has not said how much WAL it has received' },
  ],
  [
    'Commits did not wait: a healthy member still receives, so that its position says nothing',
    { ...oneOfAll, peers: [peer({ database: streaming(3, 500n) })], waitedMs: SILENT_PEER_MS - 1 },
    { do: 'wait', why: 'n3 has not said how much WAL it has received' },
  ],
  [
    'It does not say so while we hold the lock',
    { ...oneOfAll, leader: held, peers: [peer({ database: UNKNOWN })] },
    { do: 'unlock', why: 'n3 has not said how much WAL it has received', session: 'own' },
  ],
  [
    'It does not say so for long',
    { ...oneOfAll, peers: [peer({ database: UNKNOWN })], waitedMs: SILENT_PEER_MS },
    { do: 'lock', why: 'voters seen (1), none', modifyIndex: 107 },
  ],
  [
    'One that Consul calls dead does not say so',
    { ...oneOfAll, peers: [peer({ database: UNKNOWN, healthy: false })] },
    { do: 'lock', why: 'voters seen (1), none', modifyIndex: 107 },
  ],
  [
    'One that may not be promoted does not say so',
    { sync: rule(1, 'n2'), peers: [peer({ database: UNKNOWN })] },
    { do: 'lock', why: 'voters seen (1), none', modifyIndex: 107 },
  ],
]
describe('failover: a member that does not say what it has received', () =>
  table(decideFailover, base, silence))

const us = { node: 'n2', repmgrId: 2, vipPriority: 90, leadsConsul: true } as const
const ties: Cases = [
  [
    'We lead Consul: an equally good member goes first, whatever its priority',
    { self: us },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'An equally good member leads Consul: we go first, whatever its priority',
    { peers: [peer({ vipPriority: 100, leadsConsul: true })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'We lead Consul, and have received more',
    { self: us, peers: [peer({ database: stopped(3, 499n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'An equally good member with a higher priority goes first',
    { peers: [peer({ vipPriority: 100 })] },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'The former primary has named an equally good member: it goes first, although it leads Consul',
    { sync: { ...rule(2, 'n2', 'n3'), prefer: 'n3' }, peers: [peer({ vipPriority: 1, leadsConsul: true })] },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'It has named us, although an equally good member has a higher priority',
    { sync: { ...rule(2, 'n2', 'n3'), prefer: 'n2' }, peers: [peer({ vipPriority: 100 })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'It has named one that has received less: that is no equal',
    { sync: { ...rule(2, 'n2', 'n3'), prefer: 'n3' }, peers: [peer({ database: stopped(3, 499n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'It has named itself: as without a name',
    { sync: { ...rule(2, 'n2', 'n3'), prefer: 'n1' }, peers: [peer({ vipPriority: 100 })] },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'The preferred one gets only so much time: one moment before',
    { peers: [peer({ vipPriority: 100 })], waitedMs: GIVE_WAY_MS - 1 },
    { do: 'wait', why: 'n3 is an equally good candidate and is preferred' },
  ],
  [
    'The preferred one gets only so much time: over',
    { peers: [peer({ vipPriority: 100 })], waitedMs: GIVE_WAY_MS },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'We hold the lock already: a tie is no reason to give it back',
    { leader: held, peers: [peer({ vipPriority: 100 })] },
    { do: 'promote', why: 'voters seen (2), none', session: 'own', timeline: 3 },
  ],
  [
    'Same priority: the lower repmgr id goes first',
    { peers: [peer({ vipPriority: 90, repmgrId: 1 })] },
    { do: 'wait', why: 'preferred' },
  ],
  [
    'Same priority: the higher repmgr id comes later',
    { peers: [peer({ vipPriority: 90 })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A higher priority does not help a member that is behind',
    { peers: [peer({ vipPriority: 100, database: stopped(3, 499n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A higher priority does not help a member on an earlier timeline',
    { peers: [peer({ vipPriority: 100, database: stopped(2, 500n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A higher priority does not help a member that Consul does not see',
    { peers: [peer({ vipPriority: 100, healthy: false })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A higher priority does not help a member that may not be promoted',
    { peers: [peer({}), peer({ ...n4, vipPriority: 100 })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A higher priority does not help a member whose WAL receiver runs',
    { ...twoOfThree, peers: [peer({}), peer({ ...n4, vipPriority: 100, database: streaming(3, 500n) })] },
    { do: 'lock', why: 'voters seen (2), none', modifyIndex: 107 },
  ],
  [
    'A preferred member that does not answer for long is not waited for',
    { ...oneOfAll, peers: [peer({ vipPriority: 100, database: UNKNOWN })], waitedMs: SILENT_PEER_MS },
    { do: 'lock', why: 'voters seen (1), none', modifyIndex: 107 },
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
  ['All is well', {}, { do: 'settled', why: 'the primary and holds the lock' }],
  [
    'Who may be promoted in its place is no question for it',
    { sync: UNKNOWN },
    { do: 'settled', why: 'the primary and holds the lock' },
  ],
  [
    'Consul has lost our session: take the lock back',
    { leader: lock('n2', null, 8), ownSessions: [] },
    { do: 'lock', why: 'the lock is free', modifyIndex: 108 },
  ],
  [
    'The lock was taken back: publish the new epoch',
    { leader: lock('n2', 'own', 9) },
    {
      do: 'publish',
      why: 'epoch is old',
      session: 'own',
      lock: { lockIndex: 9, modifyIndex: 109 },
      timeline: 4,
      replaces: published('n2', 4, 8),
    },
  ],
  [
    'The timeline has changed under the same epoch',
    { local: running(5) },
    {
      do: 'publish',
      why: '',
      session: 'own',
      lock: { lockIndex: 8, modifyIndex: 108 },
      timeline: 5,
      replaces: published('n2', 4, 8),
    },
  ],
  [
    'An older build has published it: publish the epoch',
    { primary: publishedBefore('n2', 4, 8) },
    {
      do: 'publish',
      why: 'epoch is old',
      session: 'own',
      lock: { lockIndex: 8, modifyIndex: 108 },
      timeline: 4,
      replaces: publishedBefore('n2', 4, 8),
    },
  ],
  [
    'Just promoted: publish',
    { primary: published('n1', 3, 7) },
    {
      do: 'publish',
      why: 'is not published yet',
      session: 'own',
      lock: { lockIndex: 8, modifyIndex: 108 },
      timeline: 4,
      replaces: published('n1', 3, 7),
    },
  ],
  [
    'Promoted, and the session ended before it was published: take the lock back',
    { leader: lock('n2', null, 8), primary: published('n1', 3, 7) },
    { do: 'lock', why: 'promoted', modifyIndex: 108 },
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
    { do: 'unlock', why: 'n3 has become the primary', session: 'own' },
  ],
  [
    'The same timeline as the published one is not a later one',
    { primary: published('n3', 4, 7) },
    { do: 'unlock', why: 'n3 has become the primary', session: 'own' },
  ],
  [
    'A former primary was started under the lock of the start gate: it gives it back rather than adopts it',
    { primary: published('n3', 5, 7), startSessions: ['own'] },
    { do: 'unlock', why: 'n3 has become the primary', session: 'own' },
  ],
  [
    'A start session that does not hold the lock is none of our business',
    { ownSessions: ['own', 'start'], startSessions: ['start'] },
    { do: 'settled', why: 'the primary and holds the lock' },
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
    [
      'Consul does not say which sessions are ours',
      { leader: lock('n2', 'own', 8), ownSessions: UNKNOWN },
      false,
    ],
  ]
  for (const [caption, facts, expected] of cases) assert.equal(holdsLock(facts), expected, caption)
})
