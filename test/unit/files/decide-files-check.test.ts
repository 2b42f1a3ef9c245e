import { describe } from 'node:test'
import {
  decideFilesCheck,
  type FilesCheckFacts,
  type FilesCheckPlan,
} from '../../../lib/files/decide-check.ts'
import type { Copy } from '../../../lib/files/decide-copy.ts'
import { walkedWith } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

const at = '2026-03-01T12:00:00.000Z'
const nowMs = Date.parse(at)
const MINUTE = 60_000
const inSync: Copy = { state: 'in-sync', files: 0, bytes: 0 }
const folder = { label: 'resources', path: '/srv/resources', sequence: 7, here: inSync, others: new Map() }
const seen = { folders: [folder], connected: new Map([['n2', true]]) } as FilesCheckFacts['seen'] & object
const gone = { ...seen, connected: new Map([['n2', false]]) }
const notConnected =
  'Syncthing is not connected to n2; check that it runs there and that its port 22000 is open'

/** One folder in sync, a report of this moment, and the other machine is connected. */
const base: FilesCheckFacts = {
  report: { at, problems: [], folders: { resources: walkedWith(0, 7) } },
  seen,
  alive: new Set(['n1', 'n2']),
  away: {},
  mounted: [],
  nowMs,
}
const recent = {
  do: 'write',
  why: 'the last report is recent',
  start: false,
  away: {},
  problems: [],
  settled: true,
} as const

const cases: readonly Case<FilesCheckFacts, FilesCheckPlan>[] = [
  ['All is well', {}, recent],
  [
    'Files are not replicated here: nothing is remembered, either',
    { seen: null, report: null, away: { n2: 0 } },
    { do: 'nothing', why: 'not replicated', start: false, away: {}, problems: [] },
  ],
  [
    'There is no report: the handler is started',
    { report: null },
    { do: 'start', why: 'no report since the boot', start: true, away: {}, problems: [], settled: false },
  ],
  [
    'The report names a problem',
    { report: { at, problems: ['no room'], folders: {} } },
    { do: 'start', why: 'names problems', start: true, away: {}, problems: ['no room'], settled: false },
  ],
  [
    'Something was mounted inside a folder: the handler stops it before anything is scanned there',
    { mounted: ['/srv/resources'] },
    { ...recent, do: 'start', why: 'inside /srv/resources has changed', start: true, settled: false },
  ],
  [
    'A machine has just gone: its time starts',
    { seen: gone },
    { ...recent, settled: false, away: { n2: nowMs } },
  ],
  [
    'It has been away for long',
    { seen: gone, away: { n2: nowMs - 2 * MINUTE - 1 } },
    { ...recent, settled: false, away: { n2: nowMs - 2 * MINUTE - 1 }, problems: [notConnected] },
  ],
  [
    'It is dead, as Consul says: that is not a matter of its files',
    { seen: gone, away: { n2: nowMs - 3 * MINUTE }, alive: new Set(['n1']) },
    { ...recent, settled: false },
  ],
  [
    'Consul does not answer: it counts as alive',
    { seen: gone, away: { n2: nowMs - 3 * MINUTE }, alive: null },
    { ...recent, settled: false, away: { n2: nowMs - 3 * MINUTE }, problems: [notConnected] },
  ],
  [
    'The report is old: the handler is started, which changes nothing for another look',
    { nowMs: nowMs + 2 * MINUTE },
    { do: 'start', why: 'the last report is old', start: true, away: {}, problems: [], settled: true },
  ],
  ['It is back', { away: { n2: nowMs - 3 * MINUTE } }, recent],
  [
    'The problems of the folders come before those of the machines',
    {
      report: { at, problems: [], folders: { resources: walkedWith(1, 7) } },
      seen: gone,
      away: { n2: nowMs - 3 * MINUTE },
    },
    {
      ...recent,
      away: { n2: nowMs - 3 * MINUTE },
      problems: ['the folder resources has 1 conflict file', notConnected],
      settled: false,
    },
  ],
]
describe('the check of files', () => table(decideFilesCheck, base, cases))
