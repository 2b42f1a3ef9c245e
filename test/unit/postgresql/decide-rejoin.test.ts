import { describe } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  type Damage,
  decideRejoin,
  type RejoinFacts,
  type RejoinPlan,
} from '../../../lib/postgresql/decide-rejoin.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** n1 lost its place to n2 and is stopped; its data directory is that of a primary. */
const base: RejoinFacts = {
  node: 'n1',
  leadership: leadOfN2,
  local: { role: 'down' },
  data: 'intact',
  elsewhere: null,
  standbySignal: false,
  replaced: false,
  lineage: null,
  damage: null,
  primaryLacks: null,
  crowded: false,
  failure: null,
  nowMs: 0,
}
const standby = {
  role: 'standby',
  timeline: 4,
  receivedLsn: 1n,
  replayedLsn: 1n,
  receiverStopped: false,
} as const
const primary = published('n2', 4, 8)
/** n3 was the primary and is gone. */
const leadOfN3Free = { leader: lock('n1', null, 7), primary: published('n3', 3, 6) }

const damage: Damage = { failed: 5, says: 'invalid page in block 3', obstacle: null, fresh: false }
const damaged = { standbySignal: true, damage, primaryLacks: false } as const

const cases: readonly Case<RejoinFacts, RejoinPlan>[] = [
  [
    'A standby that does not start, and whose log is elsewhere: it may be its configuration',
    { ...damaged, damage: { ...damage, says: null } },
    {
      do: 'wait',
      why: 'its log does not say why; if it is the data: understudy rejoin --clone',
      failed: true,
    },
  ],
  ['A former primary that is stopped', {}, { do: 'rewind', why: 'n2 is the primary', primary }],
  [
    'A former primary whose PostgreSQL is being upgraded',
    { replaced: true },
    { do: 'wait', why: 'dpkg is replacing PostgreSQL' },
  ],
  [
    'A standby whose PostgreSQL is being upgraded: dpkg starts it',
    { replaced: true, standbySignal: true },
    { do: 'wait', why: 'dpkg is replacing PostgreSQL' },
  ],
  [
    'The primary itself, whose PostgreSQL is being upgraded',
    { replaced: true, leadership: leadOfN1 },
    { do: 'wait', why: 'dpkg is replacing PostgreSQL' },
  ],
  [
    'A former primary that still runs',
    { local: { role: 'primary', timeline: 3 } },
    { do: 'rewind', why: 'n2', primary },
  ],
  [
    'The data was moved: what lies in its old place says nothing',
    { data: 'missing', elsewhere: 'data_directory is /srv/pgdata' },
    { do: 'wait', why: 'data_directory is /srv/pgdata', failed: true },
  ],
  [
    'The data of the published primary was moved',
    { data: 'missing', elsewhere: 'data_directory is /srv/pgdata', leadership: leadOfN1 },
    { do: 'wait', why: 'data_directory is /srv/pgdata', failed: true },
  ],
  [
    'The data of a former primary that still runs was moved: it is stopped first',
    { elsewhere: 'data_directory is /srv/pgdata', local: { role: 'primary', timeline: 3 } },
    { do: 'rewind', why: 'n2', primary },
  ],
  [
    'It could not be read where the data is',
    { data: 'missing', elsewhere: UNKNOWN },
    { do: 'wait', why: 'could not be read' },
  ],
  [
    'A rewind was interrupted',
    { data: 'torn' },
    { do: 'clone', why: 'a rewind of the data directory was interrupted', primary },
  ],
  [
    'A rewind was interrupted after standby.signal was there',
    { data: 'torn', standbySignal: true },
    { do: 'clone', why: 'was interrupted', primary },
  ],
  [
    'The data directory is gone',
    { data: 'missing' },
    { do: 'clone', why: 'there is no data directory', primary },
  ],
  [
    'The data directory is gone and PostgreSQL hangs',
    { data: 'missing', local: UNKNOWN },
    { do: 'clone', why: 'there is no data directory', primary },
  ],
  [
    'Promoted and never published, and nobody leads: it takes part in the election',
    { leadership: leadOfN3Free, data: 'unpublished' },
    { do: 'stand-by', why: 'promoted, but perhaps never published, and there is no primary at the moment' },
  ],
  [
    'The same, while another machine holds the lock and may be published in a moment',
    { node: 'n3', leadership: lockTaken, data: 'unpublished' },
    { do: 'wait', why: 'there is no primary at the moment' },
  ],
  [
    'The same, but it runs: the failover unit publishes it, or the fence stops it',
    { leadership: leadOfN3Free, data: 'unpublished', local: { role: 'primary', timeline: 4 } },
    { do: 'wait', why: 'there is no primary at the moment' },
  ],
  [
    'The same, standing by already',
    { leadership: leadOfN3Free, data: 'unpublished', standbySignal: true },
    { do: 'start', why: 'PostgreSQL does not run' },
  ],
  [
    'A standby is stopped, and nobody leads: it may be the one to be elected',
    { leadership: leadOfN3Free, standbySignal: true },
    { do: 'start', why: 'PostgreSQL does not run' },
  ],
  ['A standby that is stopped', { standbySignal: true }, { do: 'start', why: 'PostgreSQL does not run' }],
  [
    'A standby that has failed to start, but not often enough',
    { ...damaged, damage: { ...damage, failed: 4 } },
    { do: 'start', why: 'PostgreSQL does not run' },
  ],
  [
    'A standby that fails to start again and again is cloned anew, and what it had is kept',
    damaged,
    {
      ...{ do: 'clone', why: 'PostgreSQL has failed to start 5 times: invalid page in block 3' },
      ...{ primary, because: 'damage' },
    },
  ],
  [
    'The same, but something keeps PostgreSQL from starting with any data',
    { ...damaged, damage: { ...damage, obstacle: 'something else listens on port 5432' } },
    { do: 'wait', why: 'does not start: something else listens on port 5432', failed: true },
  ],
  [
    'The same, but it was cloned for that a short while ago',
    { ...damaged, damage: { ...damage, fresh: true } },
    { do: 'wait', why: 'does not start from a fresh copy either: invalid page in block 3', failed: true },
  ],
  [
    'The same, but the primary has less than what was confirmed',
    { ...damaged, primaryLacks: true },
    { do: 'wait', why: 'block 3, but n2 lacks what was confirmed', failed: true },
  ],
  [
    'The same, but the primary, or Consul, does not say what it has',
    { ...damaged, primaryLacks: UNKNOWN },
    { do: 'wait', why: 'block 3, but n2 does not say what it has', failed: true },
  ],
  [
    'The same, and nobody leads: it may be the one to be elected',
    { ...damaged, leadership: leadOfN3Free, primaryLacks: null },
    { do: 'start', why: 'PostgreSQL does not run' },
  ],
  [
    'The same, and this machine is the published primary',
    { ...damaged, leadership: leadOfN1 },
    { do: 'nothing', why: 'this machine is the primary' },
  ],
  [
    'An operator wants a new copy',
    { data: 'unwanted', standbySignal: true, local: standby, primaryLacks: false },
    { do: 'clone', why: 'an operator has asked for a new copy', primary, because: 'operator' },
  ],
  [
    'The same, but the primary has less than what was confirmed',
    { data: 'unwanted', standbySignal: true, local: standby, primaryLacks: true },
    { do: 'wait', why: 'but n2 lacks what was confirmed', failed: true },
  ],
  [
    'The same, and nobody leads by now: it may be the one to be elected',
    { data: 'unwanted', standbySignal: true, leadership: leadOfN3Free },
    { do: 'start', why: 'PostgreSQL does not run' },
  ],
  [
    'The same, and this machine leads by now',
    { data: 'unwanted', leadership: leadOfN1 },
    { do: 'start', why: 'this machine is the primary' },
  ],
  [
    'A standby that runs, on a disk that is getting full with what an earlier copy has replaced',
    { standbySignal: true, local: standby, crowded: true },
    { do: 'discard', why: 'the disk is getting full' },
  ],
  [
    'A standby that runs',
    { standbySignal: true, local: standby },
    { do: 'nothing', why: 'runs as a standby' },
  ],
  [
    'A standby that runs and will stream',
    { standbySignal: true, local: standby, lineage: 'follows' },
    { do: 'nothing', why: 'runs as a standby' },
  ],
  [
    'A standby that runs, and the primary does not say whether it can go on',
    { standbySignal: true, local: standby, lineage: UNKNOWN },
    { do: 'nothing', why: 'runs as a standby' },
  ],
  [
    'A standby has what the primary does not have',
    { standbySignal: true, local: standby, lineage: 'diverged' },
    { do: 'rewind', why: 'this standby has WAL that n2 does not have', primary },
  ],
  [
    'A standby is ahead of a primary that went back in time: pg_rewind sees no difference on one timeline',
    { standbySignal: true, local: standby, lineage: 'ahead' },
    { do: 'clone', why: 'this standby is ahead of n2 on its timeline', primary },
  ],
  [
    'The primary no longer has what a standby needs next: there is nothing to rewind to',
    { standbySignal: true, local: standby, lineage: 'behind' },
    { do: 'clone', why: 'n2 no longer has the WAL that this standby needs', primary },
  ],
  [
    'A standby that runs on what was left of a rewind',
    { standbySignal: true, local: standby, data: 'torn', lineage: 'follows' },
    { do: 'clone', why: 'a rewind of the data directory was interrupted', primary },
  ],
  [
    'It was promoted and never published: another machine may have forked a timeline of the same number',
    { data: 'unpublished' },
    { do: 'clone', why: 'perhaps never published', primary },
  ],
  [
    'It was promoted and never published, and still runs',
    { data: 'unpublished', local: { role: 'primary', timeline: 4 } },
    { do: 'clone', why: 'perhaps never published', primary },
  ],
  [
    'A running primary beside a standby.signal',
    { standbySignal: true, local: { role: 'primary', timeline: 3 } },
    { do: 'rewind', why: 'n2', primary },
  ],
  [
    'A standby does not answer: it may be starting',
    { standbySignal: true, local: UNKNOWN },
    { do: 'wait', why: 'PostgreSQL does not answer' },
  ],
  [
    'A former primary does not answer: it was frozen or hangs, and is replaced whatever it would say',
    { local: UNKNOWN },
    { do: 'rewind', why: 'n2 is the primary', primary },
  ],
  ['Consul does not answer', { leadership: UNKNOWN }, { do: 'wait', why: 'Consul does not answer' }],
  [
    'Nobody holds the lock',
    { node: 'n3', leadership: lockReleased },
    { do: 'wait', why: 'no primary at the moment' },
  ],
  [
    'The lock is taken, nobody is published under it',
    { node: 'n3', leadership: lockTaken },
    { do: 'wait', why: 'no primary at the moment' },
  ],
  [
    'This machine is the primary and runs',
    { leadership: leadOfN1, local: { role: 'primary', timeline: 3 } },
    { do: 'nothing', why: 'this machine is the primary' },
  ],
  [
    'This machine is the primary and was stopped: start',
    { leadership: leadOfN1 },
    { do: 'start', why: 'this machine is the primary' },
  ],
  [
    'This machine is the primary, was stopped, and the mark of its promotion is still there',
    { leadership: leadOfN1, data: 'unpublished' },
    { do: 'start', why: 'this machine is the primary' },
  ],
  [
    'This machine is the primary, was stopped, and nobody holds the lock: the start gate takes it',
    { leadership: lockReleased },
    { do: 'start', why: 'this machine is the primary' },
  ],
  [
    'This machine is the primary and was stopped, and another one has just taken the lock: the start gate waits',
    { leadership: lockTaken },
    { do: 'start', why: 'this machine is the primary' },
  ],
  [
    'This machine is the primary and does not answer',
    { leadership: leadOfN1, local: UNKNOWN },
    { do: 'nothing', why: 'this machine is the primary' },
  ],
  [
    'The data of the primary is never touched, even where it is missing',
    { leadership: leadOfN1, data: 'missing' },
    { do: 'nothing', why: 'is the primary' },
  ],
  [
    'The data of the primary is never touched, even where it is torn',
    { leadership: leadOfN1, data: 'torn' },
    { do: 'nothing', why: 'is the primary' },
  ],
  [
    'A standby in the place of the primary is none that may be started',
    { leadership: leadOfN1, standbySignal: true },
    { do: 'nothing', why: 'is the primary' },
  ],
]
describe('rejoin', () => table(decideRejoin, base, cases))
