import { describe } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { decideFollow, type FollowFacts, type FollowPlan } from '../../../lib/postgresql/decide-follow.ts'
import { leadOfN1, leadOfN2, lockReleased, lockTaken } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n3 is pointed at n1, which is gone, and n2 has been promoted; n3 can go on with it. */
const base: FollowFacts = {
  node: 'n3',
  leadership: leadOfN2,
  local: { role: 'standby', timeline: 3, receivedLsn: 500n, replayedLsn: 500n, receiverStopped: false },
  standbySignal: true,
  unpublished: false,
  upstream: '10.77.0.11',
  streaming: false,
  lineage: 'follows',
}
const stopped = {
  role: 'standby',
  timeline: 3,
  receivedLsn: 500n,
  replayedLsn: 500n,
  receiverStopped: true,
} as const
const following = {
  ...{ upstream: '10.77.0.12', streaming: true, lineage: null },
  local: { ...stopped, receiverStopped: false, paused: true },
} as const
const down = { role: 'down' } as const
/** n1, which was the primary before n2. */
const former = { node: 'n1', standbySignal: false, upstream: null, lineage: null } as const
const toN2 = { do: 'point', why: 'n2 is the primary', host: '10.77.0.12', port: 5432, epoch: 108 } as const

const cases: readonly Case<FollowFacts, FollowPlan>[] = [
  ['Consul does not answer', { leadership: UNKNOWN }, { do: 'nothing', why: 'Consul does not answer' }],
  [
    'A standby does not answer',
    { local: UNKNOWN, lineage: null },
    { do: 'nothing', why: 'PostgreSQL does not answer' },
  ],
  [
    'The lock is free: follow nobody new',
    { leadership: lockReleased },
    { do: 'nothing', why: 'no primary at the moment' },
  ],
  [
    'The lock is free: a WAL receiver that has stopped stays so',
    { leadership: lockReleased, local: stopped, upstream: null },
    { do: 'nothing', why: 'no primary at the moment' },
  ],
  [
    'The lock is taken, nobody published',
    { leadership: lockTaken },
    { do: 'nothing', why: 'no primary at the moment' },
  ],
  [
    'We are the primary',
    { ...former, node: 'n2', local: { role: 'primary', timeline: 4 } },
    { do: 'nothing', why: 'this machine is the primary' },
  ],
  [
    'We are the primary, and our database is stopped: that is not the business of follow',
    { ...former, node: 'n2', local: down },
    { do: 'nothing', why: 'this machine is the primary' },
  ],
  [
    'We were promoted, never published, and stand by: our timeline may have the number of the new one',
    { unpublished: true, local: { ...stopped, timeline: 4 }, upstream: null },
    { do: 'rejoin', why: 'promoted once, but perhaps never published' },
  ],
  [
    'We were promoted and never published, and nobody leads',
    { unpublished: true, leadership: lockReleased, local: stopped, upstream: null },
    { do: 'nothing', why: 'no primary at the moment' },
  ],
  [
    'We are a former primary that still runs',
    { ...former, local: { role: 'primary', timeline: 3 } },
    { do: 'rejoin', why: 'n2 is the primary, but PostgreSQL on this machine runs as a primary too' },
  ],
  [
    'A former primary that is stopped: nobody else would start it',
    { ...former, local: down },
    {
      do: 'rejoin',
      why: 'n2 is the primary, and PostgreSQL on this machine, a former primary, does not run',
    },
  ],
  [
    'A former primary that does not answer',
    { ...former, local: UNKNOWN },
    {
      do: 'rejoin',
      why: 'n2 is the primary, and PostgreSQL on this machine, a former primary, does not answer',
    },
  ],
  ['A standby is stopped', { local: down, lineage: null }, { do: 'nothing', why: 'start gate' }],
  ['The primary has changed', {}, toN2],
  ['The primary has changed, and we stream from the former one', { streaming: true, lineage: null }, toN2],
  [
    'We stream from the primary, but not as a member',
    { upstream: null, streaming: true, lineage: null },
    toN2,
  ],
  ['Its WAL receiver has stopped for the election', { local: stopped, upstream: null }, toN2],
  ['The new primary does not say whether we can go on with it', { lineage: UNKNOWN }, toN2],
  [
    'We have what the new primary does not have',
    { lineage: 'diverged' },
    { do: 'rejoin', why: 'this standby has WAL that n2 does not have' },
  ],
  [
    'Our WAL receiver has stopped, and we have what the new primary does not have',
    { local: stopped, upstream: null, lineage: 'diverged' },
    { do: 'rejoin', why: 'this standby has WAL that n2 does not have' },
  ],
  [
    'We are ahead of the primary on its own timeline',
    { lineage: 'ahead' },
    { do: 'rejoin', why: 'this standby has WAL that n2 does not have' },
  ],
  [
    'The new primary has already removed what we need next',
    { lineage: 'behind' },
    { do: 'rejoin', why: 'n2 no longer has the WAL that this standby needs' },
  ],
  [
    'We follow it already',
    { upstream: '10.77.0.12', streaming: true, lineage: null },
    { do: 'nothing', why: 'follows n2' },
  ],
  [
    'We follow it, and replay is paused as a setting is too small',
    { ...following, shortages: [{ name: 'max_worker_processes', value: 8, needed: 32 }] },
    { do: 'restart', why: 'replay is paused: max_worker_processes is 8 here and 32 on the primary' },
  ],
  [
    'We follow it, and the operator has paused replay',
    { ...following, shortages: [] },
    { do: 'nothing', why: 'follows n2' },
  ],
  [
    'We follow nobody: a restart would not help, and may cost a vote',
    { ...following, streaming: false, shortages: [{ name: 'max_connections', value: 1, needed: 2 }] },
    { do: 'nothing', why: 'connects to n2' },
  ],
  ['We are about to', { upstream: '10.77.0.12' }, { do: 'nothing', why: 'connects to n2' }],
  [
    'We are pointed at it, and it does not say whether we can go on with it',
    { upstream: '10.77.0.12', lineage: UNKNOWN },
    { do: 'nothing', why: 'connects to n2' },
  ],
  [
    'We are pointed at it and can never stream, as we have what it does not have',
    { upstream: '10.77.0.12', lineage: 'diverged' },
    { do: 'rejoin', why: 'this standby has WAL that n2 does not have' },
  ],
  [
    'We are pointed at it and can never stream, as it no longer has what we need',
    { upstream: '10.77.0.12', lineage: 'behind' },
    { do: 'rejoin', why: 'n2 no longer has the WAL that this standby needs' },
  ],
  [
    'The primary has not changed',
    { leadership: leadOfN1, streaming: true, lineage: null },
    { do: 'nothing', why: 'follows n1' },
  ],
]
describe('follow', () => table(decideFollow, base, cases))
