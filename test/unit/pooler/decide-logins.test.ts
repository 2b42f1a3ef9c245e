import { describe } from 'node:test'
import type { CheckPlan } from '../../../lib/core/component.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { decideLogins, type LoginFacts } from '../../../lib/pooler/decide-logins.ts'
import { type Case, table } from '../support/table.ts'

const base: LoginFacts = { leads: true, database: 'manager', found: true }
const why = 'PgBouncer cannot ask database manager who may log in'
const cases: readonly Case<LoginFacts, CheckPlan>[] = [
  ['All is well', {}, { do: 'nothing', why: 'PgBouncer can ask for logins', problems: [] }],
  ['The database was made anew', { found: false }, { do: 'start', why, problems: [why] }],
  [
    'A standby waits for the primary to make it',
    { found: false, leads: false },
    { do: 'nothing', why: 'PgBouncer can ask for logins', problems: [] },
  ],
  [
    'The database does not answer: another line says so',
    { found: UNKNOWN },
    { do: 'nothing', why: 'the database does not answer', problems: [] },
  ],
]
describe('logins', () => table(decideLogins, base, cases))
