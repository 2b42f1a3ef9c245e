import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  renderDatabases,
  renderPgbouncer,
  renderPgbouncerHba,
  renderUserlist,
  tracksMore,
} from '../../../lib/pooler/config.ts'
import { poolerPaths } from '../../../lib/pooler/manifest.ts'
import { golden } from '../../golden/golden.ts'

golden('pooler')

const BEHIND = { databases: ['manager'], settings: {} }

describe('pgbouncer', () => {
  test('the included file names the primary', () =>
    assert.equal(
      renderDatabases(BEHIND, { address: '10.77.0.12', port: 5433 }),
      '[databases]\nmanager = host=10.77.0.12 port=5433 dbname=manager\n',
    ))

  test('without a primary it points at a port of this machine that nothing listens on', () =>
    assert.equal(
      renderDatabases(BEHIND, null),
      '[databases]\nmanager = host=127.0.0.1 port=1 dbname=manager\n',
    ))

  test('more databases, and settings of the cluster', () =>
    assert.equal(
      renderDatabases({ databases: ['manager', 'My-db'], settings: { pool_mode: 'transaction' } }, null),
      `pool_mode = transaction

[databases]
manager = host=127.0.0.1 port=1 dbname=manager
My-db = host=127.0.0.1 port=1 dbname=My-db
`,
    ))

  test('pgbouncer.ini includes it at its end, where it wins, and has each setting once', () => {
    const text = renderPgbouncer(true)
    assert.ok(text.endsWith(`%include ${poolerPaths.databases}\n`))
    const names = [...text.matchAll(/^(\w+) = /gm)].map(([, name]) => name)
    assert.deepEqual(names, [...new Set(names)])
    assert.ok(names.includes('auth_file') && names.includes('auth_hba_file'))
  })

  test('an old PgBouncer gets no setting that it does not know', () => {
    assert.doesNotMatch(renderPgbouncer(false), /track_extra_parameters/)
    assert.match(renderPgbouncer(true), /^track_extra_parameters = /m)
    const said = [
      'PgBouncer 1.18.0\nlibevent 2.1',
      'PgBouncer 1.20.1',
      'PgBouncer 1.24.1',
      'PgBouncer 2.0.0',
      '',
    ]
    assert.deepEqual(said.map(tracksMore), [false, true, true, true, false])
  })

  test('only the consul user gets at the console through the socket without a password', () => {
    const lines = renderPgbouncerHba()
      .split('\n')
      .filter((line) => line.startsWith('local pgbouncer'))
    assert.deepEqual(lines, ['local pgbouncer consul peer', 'local pgbouncer all reject'])
  })

  test('userlist.txt: one line for each user, quotes doubled', () =>
    assert.equal(
      renderUserlist({ app: 'SCRAM-SHA-256$4096:a=$b:c', odd: 'a"b' }),
      '"app" "SCRAM-SHA-256$4096:a=$b:c"\n"odd" "a""b"\n',
    ))

  test('the same secrets give the same file', () =>
    assert.equal(renderUserlist({ app: 'secret' }), renderUserlist({ app: 'secret' })))
})
