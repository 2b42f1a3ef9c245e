import { describe } from 'node:test'
import type { CheckPlan } from '../../../lib/core/component.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { decideLogins, type LoginFacts } from '../../../lib/pooler/decide-logins.ts'
import { type Case, table } from '../support/table.ts'

const base: LoginFacts = { found: new Map([['manager', true]]) }
const why = 'PgBouncer cannot look up logins in the database orders'
const can = { do: 'nothing', why: 'PgBouncer can ask for logins', problems: [] } as const
const cases: readonly Case<LoginFacts, CheckPlan>[] = [
  ['All is well', {}, can],
  ['A standby waits for the primary to make it', { found: new Map() }, can],
  [
    'A database was made anew',
    {
      found: new Map([
        ['manager', true],
        ['orders', false],
      ]),
    },
    { do: 'start', why, problems: [why] },
  ],
  [
    'A database does not answer or does not exist: that is nobody to repair here',
    { found: new Map([['manager', UNKNOWN]]) },
    can,
  ],
]
describe('logins', () => table(decideLogins, base, cases))
