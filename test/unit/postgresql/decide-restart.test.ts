import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { decideRestartCheck, type RestartFacts } from '../../../lib/postgresql/decide-restart.ts'

const standby: RestartFacts = { pending: [], role: 'standby', unit: 'postgresql@17-main.service' }
const problems = (difference: Partial<RestartFacts>): readonly string[] =>
  decideRestartCheck({ ...standby, ...difference }).problems

describe('a restart that PostgreSQL needs', () => {
  test('nothing is said where it needs none, or does not answer', () => {
    assert.deepEqual(problems({}), [])
    assert.deepEqual(problems({ pending: UNKNOWN, role: UNKNOWN }), [])
  })

  test('it is named with its settings, and never done', () => {
    const pending = ['max_connections', 'max_wal_senders']
    assert.deepEqual(problems({ pending }), [
      'PostgreSQL has to be restarted for max_connections, max_wal_senders; run "systemctl restart postgresql@17-main.service"',
    ])
    assert.match(problems({ pending, role: 'primary' }).join(), /, the standbys first$/)
    assert.equal(decideRestartCheck({ ...standby, pending }).do, 'nothing')
  })
})
