import { describe } from 'node:test'
import { UNKNOWN } from '../../../lib/decide/facts.ts'
import { decideRejoin, type RejoinFacts, type RejoinPlan } from '../../../lib/decide/rejoin.ts'
import { leadOfN1, leadOfN2, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n1 lost its place to n2 and is stopped; its data directory is that of a primary. */
const base: RejoinFacts = {
  node: 'n1',
  leadership: leadOfN2,
  local: { role: 'down' },
  data: 'intact',
  standbySignal: false,
}
const primary = published('n2', 4, 8)

const cases: readonly Case<RejoinFacts, RejoinPlan>[] = [
  ['A former primary that is stopped', {}, { do: 'rewind', why: 'n2 is the primary', primary }],
  [
    'A former primary that still runs',
    { local: { role: 'primary', timeline: 3 } },
    { do: 'rewind', why: 'n2', primary },
  ],
  ['A rewind was interrupted', { data: 'torn' }, { do: 'clone', why: 'the data directory is torn', primary }],
  [
    'A rewind was interrupted after standby.signal was there',
    { data: 'torn', standbySignal: true },
    { do: 'clone', why: 'torn', primary },
  ],
  [
    'The data directory is gone',
    { data: 'missing' },
    { do: 'clone', why: 'the data directory is missing', primary },
  ],
  [
    'The data directory is gone and PostgreSQL hangs',
    { data: 'missing', local: UNKNOWN },
    { do: 'clone', why: 'missing', primary },
  ],
  ['A standby that is stopped', { standbySignal: true }, { do: 'start', why: 'PostgreSQL does not run' }],
  [
    'A standby that runs',
    { standbySignal: true, local: { role: 'standby', timeline: 4, receivedLsn: 1n } },
    { do: 'nothing', why: 'runs as a standby' },
  ],
  [
    'A running primary beside a standby.signal',
    { standbySignal: true, local: { role: 'primary', timeline: 3 } },
    { do: 'rewind', why: 'n2', primary },
  ],
  ['PostgreSQL does not answer', { local: UNKNOWN }, { do: 'wait', why: 'PostgreSQL does not answer' }],
  ['Consul does not answer', { leadership: UNKNOWN }, { do: 'wait', why: 'Consul does not answer' }],
  ['Nobody holds the lock', { leadership: lockReleased }, { do: 'wait', why: 'nobody holds the lock' }],
  [
    'The lock is taken, nobody is published under it',
    { leadership: lockTaken },
    { do: 'wait', why: 'nobody holds the lock' },
  ],
  [
    'This machine is the primary',
    { leadership: leadOfN1 },
    { do: 'nothing', why: 'this machine is the primary' },
  ],
  [
    'The data of the primary is never touched, even where it is missing',
    { leadership: leadOfN1, data: 'missing' },
    { do: 'nothing', why: 'is the primary' },
  ],
]
describe('rejoin', () => table(decideRejoin, base, cases))
