import { describe } from 'node:test'
import { UNKNOWN } from '../../../lib/decide/facts.ts'
import { decideFollow, type FollowFacts, type FollowPlan } from '../../../lib/decide/follow.ts'
import { leadOfN1, leadOfN2, lockReleased, lockTaken } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n3 streams from n1, n2 has been promoted. */
const base: FollowFacts = {
  node: 'n3',
  leadership: leadOfN2,
  local: { role: 'standby', timeline: 3, receivedLsn: 500n },
  upstream: '10.77.0.11',
}

const cases: readonly Case<FollowFacts, FollowPlan>[] = [
  ['Consul does not answer', { leadership: UNKNOWN }, { do: 'nothing', why: 'Consul does not answer' }],
  ['PostgreSQL does not answer', { local: UNKNOWN }, { do: 'nothing', why: 'PostgreSQL does not answer' }],
  [
    'The lock is free: follow nobody new',
    { leadership: lockReleased },
    { do: 'nothing', why: 'nobody holds the lock' },
  ],
  [
    'The lock is taken, nobody published',
    { leadership: lockTaken },
    { do: 'nothing', why: 'nobody holds the lock' },
  ],
  [
    'We are the primary',
    { node: 'n2', local: { role: 'primary', timeline: 4 }, upstream: null },
    { do: 'nothing', why: 'this is the primary' },
  ],
  [
    'We are a former primary that still runs',
    { node: 'n1', local: { role: 'primary', timeline: 3 }, upstream: null },
    { do: 'rejoin', why: 'n2 is the primary, but this machine runs as one too' },
  ],
  ['PostgreSQL is stopped', { local: { role: 'down' } }, { do: 'nothing', why: 'start gate' }],
  ['The primary has changed', {}, { do: 'point', why: 'n2 is the primary', host: '10.77.0.12', port: 5432 }],
  [
    'A standby without an upstream',
    { upstream: null },
    { do: 'point', why: 'n2 is the primary', host: '10.77.0.12', port: 5432 },
  ],
  ['We follow it already', { upstream: '10.77.0.12' }, { do: 'nothing', why: 'follows n2' }],
  ['The primary has not changed', { leadership: leadOfN1 }, { do: 'nothing', why: 'follows n1' }],
]
describe('follow', () => table(decideFollow, base, cases))
