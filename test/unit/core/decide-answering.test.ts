import { describe } from 'node:test'
import {
  type AnsweringFacts,
  type AnsweringPlan,
  decideAnswering,
} from '../../../lib/core/decide-answering.ts'
import { NOW } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

/** PgBouncer did not answer for the first time some seconds ago. */
const base: AnsweringFacts = {
  unit: 'pgbouncer.service',
  answers: false,
  silence: { count: 1, since: NOW, last: NOW, reason: 'a test' },
  nowMs: Date.parse(NOW) + 3000,
}
const silent = 'pgbouncer.service does not answer'
const killed = `${silent} and is killed`

const cases: readonly Case<AnsweringFacts, AnsweringPlan>[] = [
  ['It answers', { answers: true, silence: null }, { do: 'nothing', why: 'answers', problems: [] }],
  ['It answers again', { answers: true }, { do: 'forget', why: 'answers', problems: [] }],
  ['It is silent for the first time', { silence: null }, { do: 'remember', why: silent, problems: [silent] }],
  ['It is silent at the second look of one run', {}, { do: 'remember', why: silent, problems: [silent] }],
  [
    'It is silent in the next run, too',
    { nowMs: Date.parse(NOW) + 10_000 },
    { do: 'kill', why: silent, problems: [killed] },
  ],
  [
    'A clock that was set back delays it until the next run: the time begins anew',
    { nowMs: Date.parse(NOW) - 10_000 },
    { do: 'remember', why: silent, problems: [silent] },
  ],
]
describe('a daemon that hangs', () => table(decideAnswering, base, cases))
