import { describe } from 'node:test'
import { HOLD, NO_WAIT, NOBODY } from '../../../lib/postgresql/decide-durability.ts'
import {
  ALONE_AFTER_MS,
  decideUpkeep,
  type UnderLock,
  UPKEEP_MS,
  type UpkeepFacts,
  type UpkeepPlan,
} from '../../../lib/postgresql/decide-upkeep.ts'
import { type Case, table } from '../support/table.ts'

const BOTH = ['n2', 'n3']
const consul: UnderLock = {
  members: ['n1', ...BOTH].map((node) => ({ node, healthy: true })),
  mode: 'quorum',
  election: { voters: BOTH, need: 2 },
  saysWaits: true,
}
/** n1 is the primary of three, and everything is in order. */
const base: UpkeepFacts = {
  node: 'n1',
  underLock: consul,
  commit: { standbys: BOTH, count: 1 },
  fileDiffers: false,
  streaming: BOTH,
  level: BOTH,
  withoutStandbyMs: 0,
  proven: true,
  failed: null,
  elapsedMs: 0,
}
const withHealth = (n3: boolean): { underLock: UnderLock } => ({
  underLock: {
    ...consul,
    members: consul.members.map((one) => (one.node === 'n3' ? { ...one, healthy: n3 } : one)),
  },
})
const n3Lost = { streaming: ['n2'], level: ['n2'] }
/** Both rules name only the one that is left. */
const n2Only = {
  ...n3Lost,
  commit: { standbys: ['n2'], count: 1 },
  underLock: { ...consul, election: { voters: ['n2'], need: 1 } },
}
const n3Unhealthy = {
  ...n2Only,
  underLock: { ...n2Only.underLock, members: withHealth(false).underLock.members },
}
const nobody = { streaming: [], level: [] }
const alone = { ...nobody, withoutStandbyMs: ALONE_AFTER_MS + 1 }
const again = { afterMs: 250 } as const

const cases: readonly Case<UpkeepFacts, UpkeepPlan>[] = [
  [
    'Everything is in order',
    {},
    { do: 'done', why: 'these standbys count towards a commit: n2, n3', complete: true },
  ],
  ['The lock is not ours', { underLock: null }, { do: 'lost', why: 'does not hold the lock' }],
  [
    'A standby has gone: the commit rule first',
    n3Lost,
    { do: 'commit', why: 'count towards a commit: n2', commit: { standbys: ['n2'], count: 1 } },
  ],
  [
    'The election rule follows',
    { ...n3Lost, commit: { standbys: ['n2'], count: 1 } },
    { do: 'elect', why: 'count towards a commit: n2', election: { voters: ['n2'], need: 1 } },
  ],
  [
    'A change was refused: look again before another one',
    { ...n3Lost, failed: 'refused' },
    { do: 'wait', why: 'count towards a commit: n2', ...again },
  ],
  [
    'The file holds another rule: the one in effect is written again',
    { fileDiffers: true },
    { do: 'restore', why: 'the configuration file', commit: base.commit },
  ],
  [
    'The file holds another rule, and the rules have to change: not before it is right',
    { fileDiffers: true, ...n3Lost },
    { do: 'restore', why: 'the configuration file', commit: base.commit },
  ],
  [
    // Else a reload would bring ANY 1 (n2, n3) into effect beside an election by n2 alone.
    'A run was killed between the file and the reload, and a voter is gone: not elect, but restore',
    { fileDiffers: true, ...n3Lost, commit: { standbys: ['n2'], count: 1 } },
    { do: 'restore', why: 'the configuration file', commit: { standbys: ['n2'], count: 1 } },
  ],
  [
    'It needs no consent of Consul',
    { fileDiffers: true, failed: 'refused' },
    { do: 'restore', why: 'the configuration file', commit: base.commit },
  ],
  [
    'A run was killed while commits were held: it goes on at once',
    { commit: HOLD, proven: false },
    { do: 'commit', why: 'count towards a commit: n2, n3', commit: base.commit },
  ],
  [
    'The same with the next rule in the file already: nobody wants to hold commits for ever',
    { commit: HOLD, proven: false, fileDiffers: true },
    { do: 'commit', why: 'count towards a commit: n2, n3', commit: base.commit },
  ],
  [
    'A rule that is only set: no voters beside it before it is proven to be in effect',
    { proven: false, underLock: { ...consul, election: NOBODY } },
    { do: 'commit', why: 'not proven', commit: base.commit },
  ],
  [
    'It is proven',
    { underLock: { ...consul, election: NOBODY } },
    { do: 'elect', why: 'count towards a commit: n2, n3', election: consul.election },
  ],
  [
    'PostgreSQL was late: not at once again, as clients are held',
    { ...n3Lost, failed: 'late' },
    { do: 'wait', why: 'count towards a commit: n2', afterMs: 5000 },
  ],
  [
    'PostgreSQL was late again and again: a run ends',
    { ...n3Lost, failed: 'late', elapsedMs: UPKEEP_MS + 1 },
    { do: 'done', why: 'the standbys did not catch up within 20 s; the next run goes on', complete: false },
  ],
  [
    'PostgreSQL was late, though every standby has caught up: a run ends',
    { failed: 'late', elapsedMs: UPKEEP_MS + 1 },
    {
      do: 'done',
      why: 'PostgreSQL did not take over the new rule within 20 s; the next run goes on',
      complete: false,
    },
  ],
  [
    'A healthy member does not count yet',
    n2Only,
    { do: 'wait', why: 'count towards a commit: n2', ...again },
  ],
  [
    'A member that is not healthy is not waited for',
    n3Unhealthy,
    { do: 'done', why: 'count towards a commit: n2', complete: true },
  ],
  [
    'A healthy member that counts is busy',
    { level: ['n2'] },
    { do: 'wait', why: 'count towards a commit: n2, n3', ...again },
  ],
  [
    'A healthy member does not count for long: one moment before the end',
    { ...n2Only, elapsedMs: UPKEEP_MS },
    { do: 'wait', why: 'count towards a commit: n2', ...again },
  ],
  [
    'A healthy member does not count for long',
    { ...n2Only, elapsedMs: UPKEEP_MS + 1 },
    { do: 'done', why: 'the standbys did not catch up within 20 s; the next run goes on', complete: false },
  ],
  ['No standby streams, as of now', nobody, { do: 'wait', why: 'no streaming standby', ...again }],
  [
    'No standby streams: one moment before the primary may go on alone',
    { ...nobody, withoutStandbyMs: ALONE_AFTER_MS },
    { do: 'wait', why: 'no streaming standby', ...again },
  ],
  [
    'No standby streams for long: nobody may be promoted',
    alone,
    { do: 'elect', why: 'goes on alone', election: NOBODY },
  ],
  [
    'Nobody may be promoted: commits stop waiting',
    { ...alone, underLock: { ...consul, election: NOBODY } },
    { do: 'commit', why: 'goes on alone', commit: NO_WAIT },
  ],
  [
    'It goes on alone, and a healthy member is missing',
    { ...alone, commit: NO_WAIT, underLock: { ...consul, election: NOBODY } },
    { do: 'wait', why: 'goes on alone', ...again },
  ],
  [
    'It goes on alone, and no other member is healthy',
    {
      ...alone,
      commit: NO_WAIT,
      underLock: {
        ...consul,
        election: NOBODY,
        members: consul.members.map((one) => ({ ...one, healthy: one.node === 'n1' })),
      },
    },
    { do: 'done', why: 'goes on alone', complete: true },
  ],
  [
    'Commits wait for nobody who streams, for longer than a run: it goes on until it may go on alone',
    { ...nobody, elapsedMs: UPKEEP_MS + 1, withoutStandbyMs: ALONE_AFTER_MS },
    { do: 'wait', why: 'no streaming standby', ...again },
  ],
  [
    'Commits wait for nobody who streams, though no other member is healthy',
    {
      ...nobody,
      underLock: {
        ...consul,
        members: consul.members.map((one) => ({ ...one, healthy: one.node === 'n1' })),
      },
    },
    { do: 'wait', why: 'no streaming standby', ...again },
  ],
  [
    'Mode strict never goes on alone, but a run ends',
    { ...alone, underLock: { ...consul, mode: 'strict' }, elapsedMs: UPKEEP_MS + 1 },
    { do: 'done', why: 'the standbys did not catch up within 20 s; the next run goes on', complete: false },
  ],
  [
    'Commits do not wait, and nobody streams for long: a run ends',
    {
      ...nobody,
      commit: NO_WAIT,
      underLock: { ...consul, mode: 'async', election: { voters: BOTH, need: 1 } },
      elapsedMs: UPKEEP_MS + 1,
    },
    { do: 'done', why: 'the standbys did not catch up within 20 s; the next run goes on', complete: false },
  ],
]
describe('upkeep', () => table(decideUpkeep, base, cases))
