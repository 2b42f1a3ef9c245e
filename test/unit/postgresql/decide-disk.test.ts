import { describe } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { type DiskFacts, type DiskPlan, decideDisk, STUCK_MS } from '../../../lib/postgresql/decide-disk.ts'
import { type Case, table } from '../support/table.ts'

/** No WAL was written for long enough, and nobody has said so yet. */
const base: DiskFacts = { stuckMs: STUCK_MS, marked: false }
const hangs = 'the disk of the database hangs: no WAL was written for 8 s'
const moves = { why: 'WAL does not wait for the disk', problems: [] } as const

const cases: readonly Case<DiskFacts, DiskPlan>[] = [
  ['It hangs', {}, { do: 'mark', why: hangs, problems: [hangs] }],
  ['It still hangs', { marked: true }, { do: 'nothing', why: hangs, problems: [hangs] }],
  ['It is slow', { stuckMs: STUCK_MS - 1 }, { do: 'nothing', ...moves }],
  ['All is well', { stuckMs: 0 }, { do: 'nothing', ...moves }],
  ['It takes writes again', { stuckMs: 0, marked: true }, { do: 'unmark', ...moves }],
  ['No primary runs any more', { stuckMs: null, marked: true }, { do: 'unmark', ...moves }],
  [
    'PostgreSQL does not answer: it is as it was',
    { stuckMs: UNKNOWN, marked: true },
    { do: 'nothing', why: 'PostgreSQL does not answer', problems: [] },
  ],
]
describe('a disk that hangs', () => table(decideDisk, base, cases))
