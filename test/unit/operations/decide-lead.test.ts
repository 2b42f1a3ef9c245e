import { describe } from 'node:test'
import { currentPrimary } from '../../../lib/consul/leadership.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { decideLead, type LeadFacts, type LeadPlan } from '../../../lib/operations/decide-lead.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** How long a run waits for a new primary. */
const ELECTION_MS = 4000
/** How long a machine must have held the lock before the virtual IP goes ahead. */
const SETTLED_MS = 200

/** Everything on this machine has followed once, and n1 is the primary. */
const base: LeadFacts = {
  leadership: leadOfN1,
  followed: true,
  followedEpoch: currentPrimary(leadOfN1)?.index ?? null,
  addressMoved: false,
  heldMs: 0,
  pooledMs: 0,
  elapsedMs: 0,
}
const none = 'no machine is the primary at this moment'

const cases: readonly Case<LeadFacts, LeadPlan>[] = [
  ['A run begins', { followed: false, leadership: UNKNOWN }, { do: 'follow', why: 'may have changed' }],
  [
    'A run begins late: an event is never lost',
    { followed: false, elapsedMs: ELECTION_MS },
    { do: 'follow', why: 'may have changed' },
  ],
  ['Everything has followed', {}, { do: 'nothing', why: 'n1 is the primary' }],
  [
    'There was none when it followed',
    { followedEpoch: null },
    { do: 'follow', why: 'n1 is the primary now' },
  ],
  [
    'It has followed n1, and n2 was published meanwhile',
    { leadership: leadOfN2 },
    { do: 'follow', why: 'n2 is the primary now' },
  ],
  [
    'It has followed n1 under an earlier lock',
    { followedEpoch: 3 },
    { do: 'follow', why: 'n1 is the primary now' },
  ],
  [
    'The primary has come late',
    { followedEpoch: null, leadership: leadOfN2, elapsedMs: ELECTION_MS },
    { do: 'follow', why: 'n2 is the primary now' },
  ],
  [
    'The lock is free, and PgBouncer has just looked whether the primary answers',
    { leadership: lockReleased, pooledMs: 499 },
    { do: 'wait', why: none },
  ],
  [
    'It looks again',
    { leadership: lockReleased, pooledMs: 500 },
    { do: 'pool', why: 'no machine but n1 has had it' },
  ],
  ['Consul does not answer', { leadership: UNKNOWN }, { do: 'nothing', why: 'Consul does not answer' }],
  [
    'Consul does not answer any more',
    { leadership: UNKNOWN, followedEpoch: null },
    { do: 'nothing', why: 'Consul does not answer' },
  ],
  [
    'The first machine joins',
    { leadership: { leader: lock('n1', 'session-n1', 1), primary: null } },
    { do: 'nothing', why: 'there is no primary yet' },
  ],
  ['The lock is free', { leadership: lockReleased }, { do: 'wait', why: none }],
  [
    'The lock was never taken',
    { leadership: { leader: null, primary: published('n1', 3, 7) } },
    { do: 'wait', why: none },
  ],
  [
    'The lock is free: one moment before the end',
    { leadership: lockReleased, followedEpoch: null, elapsedMs: ELECTION_MS - 1 },
    { do: 'wait', why: none },
  ],
  [
    'The lock is free for long: the next event starts another run',
    { leadership: lockReleased, followedEpoch: null, elapsedMs: ELECTION_MS },
    { do: 'nothing', why: 'no primary after 4000 ms' },
  ],
  [
    'A machine has taken the lock: the virtual IP goes ahead',
    { leadership: lockTaken, heldMs: SETTLED_MS },
    { do: 'move-address', why: 'n2 holds the lock' },
  ],
  [
    'A machine has taken the lock a moment ago, and may give it back: the virtual IP stays',
    { leadership: lockTaken, heldMs: SETTLED_MS - 1 },
    { do: 'wait', why: none },
  ],
  [
    'A machine has taken the lock, and the virtual IP has gone ahead',
    { leadership: lockTaken, followedEpoch: null, addressMoved: true, heldMs: SETTLED_MS },
    { do: 'wait', why: none },
  ],
  [
    'A machine has the lock for long and is not published',
    { leadership: lockTaken, elapsedMs: ELECTION_MS },
    { do: 'nothing', why: 'no primary after' },
  ],
]
describe('what follows the primary', () => table(decideLead, base, cases))
