import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { repmgrConninfo } from '../../../lib/postgresql/config-repmgr.ts'
import { mayNeedFollow, upstreamOf } from '../../../lib/postgresql/decide-follow.ts'
import { leadOfN1, leadOfN2, lockReleased, lockTaken } from '../support/documents.ts'

type Seen = Parameters<typeof mayNeedFollow>[0]

/** n3 streams from n1, the primary. */
const base: Seen = {
  node: 'n3',
  leadership: leadOfN1,
  local: { role: 'standby', timeline: 3, receivedLsn: 500n, replayedLsn: 500n, receiverStopped: false },
  upstream: '10.77.0.11',
  streaming: true,
}
const stopped = {
  role: 'standby',
  timeline: 3,
  receivedLsn: 500n,
  replayedLsn: 500n,
  receiverStopped: true,
} as const

const cases: readonly (readonly [caption: string, difference: Partial<Seen>, why: RegExp | null])[] = [
  ['all is well', {}, null],
  ['Consul does not answer', { leadership: UNKNOWN, streaming: false }, null],
  ['nobody holds the lock', { leadership: lockReleased, streaming: false }, null],
  [
    'another machine has the lock and is not published yet',
    { leadership: lockTaken, streaming: false },
    null,
  ],
  ['we are the primary', { node: 'n1', local: { role: 'primary', timeline: 3 }, streaming: false }, null],
  ['we are the primary, and its database is stopped', { node: 'n1', local: { role: 'down' } }, null],
  ['it does not stream', { streaming: false }, /^n1 is the primary, and this machine does not follow it$/],
  [
    'it streams from the primary, but not as a member',
    { upstream: null },
    /^n1 is the primary, and this machine does not follow it$/,
  ],
  ['it streams from a former primary', { leadership: leadOfN2 }, /^n2 is the primary, and this machine does/],
  [
    'its WAL receiver has stopped',
    { local: stopped, upstream: null, streaming: false },
    /does not follow it/,
  ],
  [
    'a former primary runs',
    { local: { role: 'primary', timeline: 3 }, upstream: null, streaming: false },
    /does not follow it/,
  ],
  ['the database hangs', { local: UNKNOWN, upstream: null, streaming: false }, /PostgreSQL does not answer/],
  [
    'the database is stopped, of a standby or of a former primary',
    { local: { role: 'down' }, upstream: null, streaming: false },
    /PostgreSQL does not answer/,
  ],
]

describe('from where a standby streams as a member', () => {
  const member = { node: 'n3', repmgrId: 3 }
  const ours = repmgrConninfo('n3', '10.77.0.11', 5432)
  const all: readonly (readonly [caption: string, conninfo: string, slot: string, host: string | null])[] = [
    ['as makeStandby and follow set it', ours, 'repmgr_slot_3', '10.77.0.11'],
    ['stopped for an election', '', 'repmgr_slot_3', null],
    ['pointed nowhere', 'host=/dev/null', 'repmgr_slot_3', null],
    ['from no slot', ours, '', null],
    ['from the slot of another member', ours, 'repmgr_slot_33', null],
    ['under another name', repmgrConninfo('n33', '10.77.0.11', 5432), 'repmgr_slot_3', null],
    ['as another user', ours.replace('user=repmgr', 'user=repl'), 'repmgr_slot_3', null],
    [
      'as pg_basebackup --write-recovery-conf sets it',
      "user=repl passfile='/var/lib/postgresql/.pgpass' channel_binding=prefer host=10.77.0.11 port=5432",
      'n3',
      null,
    ],
  ]
  for (const [caption, conninfo, slot, host] of all)
    test(`${host ?? 'nowhere'}: ${caption}`, () => assert.equal(upstreamOf({ conninfo, slot }, member), host))
})

describe('whether the follow unit should look', () => {
  for (const [caption, difference, why] of cases) {
    test(`${why === null ? 'no' : 'yes'}: ${caption}`, () => {
      const said = mayNeedFollow({ ...base, ...difference })
      if (why === null) assert.equal(said, null)
      else assert.match(said ?? 'nothing', why)
    })
  }
})
