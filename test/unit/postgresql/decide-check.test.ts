import { describe } from 'node:test'
import type { CheckPlan } from '../../../lib/core/component.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  type DatabaseCheckPlan,
  decideDatabaseCheck,
  decideRejoinCheck,
  decideReplacedCheck,
  decideStaleCheck,
  decideStartsCheck,
  decideStrangerCheck,
  STRANGER_MS,
} from '../../../lib/postgresql/decide-check.ts'
import type { Replication } from '../../../lib/postgresql/decide-follow.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n3 streams from n1, the primary. */
const standby: Replication = {
  node: 'n3',
  leadership: leadOfN1,
  local: { role: 'standby', timeline: 3, receivedLsn: 500n, replayedLsn: 500n, receiverStopped: false },
  upstream: '10.77.0.11',
  streaming: true,
}
const primary: Replication = {
  ...standby,
  node: 'n1',
  local: { role: 'primary', timeline: 3 },
  upstream: null,
  streaming: false,
}
const down = { role: 'down' } as const
type Cases = readonly Case<Replication & { keptUp?: number }, DatabaseCheckPlan>[]
/** A plan that starts these units, and reports why or nothing. */
const start = (units: DatabaseCheckPlan['start'], why: string, problem: string | null = why) => ({
  do: units.length > 0 ? ('start' as const) : ('nothing' as const),
  why,
  start: units,
  problems: problem === null ? [] : [problem],
})
const inRole = 'PostgreSQL runs in its role'
const free = 'no machine holds the lock'
const taken = 'n2 holds the lock, but is not the published primary'

const standbyCases: Cases = [
  ['It streams from the primary', {}, start([], inRole, null)],
  [
    'It does not stream',
    { streaming: false },
    start(['follow'], 'n1 is the primary, and this machine does not follow it'),
  ],
  [
    'It streams from a former primary',
    { leadership: leadOfN2 },
    start(['follow'], 'n2 is the primary, and this machine does not follow it'),
  ],
  ['It is stopped', { local: down, streaming: false }, start(['follow'], 'PostgreSQL does not answer')],
  [
    'It does not answer',
    { local: UNKNOWN, streaming: false },
    start(['follow'], 'PostgreSQL does not answer'),
  ],
  ['The lock is free', { leadership: lockReleased }, start(['failover'], free)],
  ['The lock is taken, and its holder is not published', { leadership: lockTaken }, start([], taken)],
  [
    'The lock is free, and it is stopped: it may be needed for the election',
    { leadership: lockReleased, local: down, streaming: false },
    start(['failover', 'rejoin'], free),
  ],
  [
    'It holds the lock and is not published: a run that was killed may have left it',
    { node: 'n2', leadership: lockTaken },
    start(['failover'], taken),
  ],
  ['Consul does not answer', { leadership: UNKNOWN }, start([], 'Consul does not answer', null)],
  [
    'There is no primary yet',
    { leadership: { leader: null, primary: null }, streaming: false },
    start([], inRole, null),
  ],
  [
    'There is no primary yet, and PostgreSQL is stopped',
    { leadership: { leader: null, primary: null }, local: down, streaming: false },
    start([], 'PostgreSQL does not answer'),
  ],
  [
    'It runs as a primary beside the primary',
    { local: { role: 'primary', timeline: 3 }, upstream: null, streaming: false },
    start(['follow'], 'n1 is the primary, and this machine does not follow it'),
  ],
]
describe('the check of the database: a standby', () => table(decideDatabaseCheck, standby, standbyCases))

const primaryCases: Cases = [
  ['It has its lock: the gate looks whether the upkeep is done', {}, start(['failover'], inRole, null)],
  [
    'Its upkeep has nothing left to do: another look would decide the same',
    { keptUp: 7 },
    { ...start(['failover'], inRole, null), settled: true },
  ],
  ['Its upkeep was complete under another epoch', { keptUp: 6 }, start(['failover'], inRole, null)],
  [
    'Its upkeep was complete, but it does not answer',
    { keptUp: 7, local: UNKNOWN },
    start(['failover', 'rejoin'], 'PostgreSQL does not answer'),
  ],
  ['It is stopped', { local: down }, start(['failover', 'rejoin'], 'PostgreSQL does not answer')],
  ['It does not answer', { local: UNKNOWN }, start(['failover', 'rejoin'], 'PostgreSQL does not answer')],
  ['It has lost its lock', { leadership: lockReleased }, start(['failover', 'fence'], free)],
  [
    'It has lost its lock and is stopped: there is nothing to fence',
    { leadership: lockReleased, local: down },
    start(['failover', 'rejoin'], free),
  ],
  ['Another machine has taken its lock', { leadership: lockTaken }, start(['failover', 'fence'], taken)],
  [
    'It has its lock back, and the published epoch is old',
    { leadership: { leader: lock('n1', 'session-n1', 9), primary: published('n1', 3, 7) } },
    start(['failover', 'fence'], 'n1 holds the lock, but is not the published primary'),
  ],
  [
    'Consul does not answer: it may be cut off',
    { leadership: UNKNOWN },
    start(['fence'], 'Consul does not answer', null),
  ],
  [
    'Consul does not answer, and it is stopped: the fence lets the virtual IP go',
    { leadership: UNKNOWN, local: down },
    start(['fence'], 'Consul does not answer', null),
  ],
  [
    'Consul does not answer, and neither does it',
    { leadership: UNKNOWN, local: UNKNOWN },
    start(['fence'], 'Consul does not answer', null),
  ],
  [
    'Another machine was promoted',
    { leadership: leadOfN2 },
    start(['follow'], 'n2 is the primary, and this machine does not follow it'),
  ],
]
describe('the check of the database: a primary', () => table(decideDatabaseCheck, primary, primaryCases))

const failure = {
  count: 3,
  since: '2026-03-01T10:00:00.000Z',
  last: '2026-03-01T11:00:00.000Z',
  reason: 'no space left',
}
const failed = '3 attempts to rejoin have failed since 2026-03-01T10:00:00.000Z: no space left'
describe('the check of rejoin', () =>
  table<Parameters<typeof decideRejoinCheck>[0], CheckPlan>(
    decideRejoinCheck,
    { failure: null, copying: null },
    [
      ['The last one did not fail', {}, { do: 'nothing', why: 'did not fail', problems: [] }],
      ['It goes on failing', { failure }, { do: 'nothing', why: failed, problems: [failed] }],
      [
        'A copy is being made, after one that failed',
        { failure, copying: 'n1: 1 GiB of 4 GiB (25 %)\n' },
        {
          ...{ do: 'nothing', why: 'this machine is copying n1: 1 GiB of 4 GiB (25 %)' },
          problems: ['this machine is copying n1: 1 GiB of 4 GiB (25 %)'],
        },
      ],
    ],
  ))

const doesNotStart =
  'PostgreSQL has failed to start 3 times; after 5 failed starts this standby is cloned again'
describe('the check of starts', () =>
  table<Parameters<typeof decideStartsCheck>[0], CheckPlan>(decideStartsCheck, { failed: 3, runs: false }, [
    ['Starts fail', {}, { do: 'nothing', why: doesNotStart, problems: [doesNotStart] }],
    ['It runs by now', { runs: true }, { do: 'nothing', why: 'PostgreSQL starts', problems: [] }],
    ['It has just been restarted in place', { failed: 1 }, { do: 'nothing', why: 'starts', problems: [] }],
  ]))

describe('the check of what a copy has replaced', () =>
  table<Parameters<typeof decideReplacedCheck>[0], CheckPlan>(
    decideReplacedCheck,
    { crowded: false, unwanted: false },
    [
      ['There is room, or nothing was replaced', {}, { do: 'nothing', why: 'there is room', problems: [] }],
      ['The disk is getting full', { crowded: true }, { do: 'start', why: 'getting full', problems: [] }],
      [
        'A copy that an operator has asked for was ended by a power cut: it is made again',
        { unwanted: true },
        { do: 'start', why: 'is not made yet', problems: [] },
      ],
    ],
  ))

const older = 'this data is older than what was confirmed'
describe('the check of the data', () =>
  table<Parameters<typeof decideStaleCheck>[0], CheckPlan>(decideStaleCheck, { reason: null }, [
    ['The start gate has nothing against it', {}, { do: 'nothing', why: 'is not older', problems: [] }],
    ['It went back in time', { reason: `${older}\n` }, { do: 'nothing', why: older, problems: [older] }],
  ]))

const stranger = 'something at 10.77.0.12 streams as n2 without its slot'
const ended = { ...failure, reason: stranger }
const endedMs = Date.parse(ended.last)
const onlyMembers = { do: 'nothing', why: 'only members', problems: [] } as const
describe('the check of the streams', () =>
  table<Parameters<typeof decideStrangerCheck>[0], CheckPlan>(
    decideStrangerCheck,
    { ended: null, nowMs: endedMs },
    [
      ['Only members stream', {}, onlyMembers],
      ['A stranger was ended', { ended }, { do: 'nothing', why: stranger, problems: [stranger] }],
      [
        'It may come back',
        { ended, nowMs: endedMs + STRANGER_MS },
        { do: 'nothing', why: stranger, problems: [stranger] },
      ],
      ['It has not come back', { ended, nowMs: endedMs + STRANGER_MS + 1 }, onlyMembers],
    ],
  ))
