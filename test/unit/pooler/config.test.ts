import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  renderDatabases,
  renderPgbouncer,
  renderPgbouncerHba,
  renderUserlist,
} from '../../../lib/pooler/config.ts'
import { poolerPaths } from '../../../lib/pooler/manifest.ts'
import { golden } from '../../golden/golden.ts'

golden('pooler')

describe('pgbouncer', () => {
  test('the included file names the primary', () =>
    assert.equal(
      renderDatabases('manager', { address: '10.77.0.12', port: 5433 }),
      '[databases]\nmanager = host=10.77.0.12 port=5433 dbname=manager\n',
    ))

  test('without a primary it points at a port of this machine that nothing listens on', () =>
    assert.equal(
      renderDatabases('manager', null),
      '[databases]\nmanager = host=127.0.0.1 port=1 dbname=manager\n',
    ))

  test('pgbouncer.ini includes it before its own section, and has each setting once', () => {
    const text = renderPgbouncer()
    const include = text.indexOf(`%include ${poolerPaths.databases}\n`)
    assert.ok(include > 0 && include < text.indexOf('[pgbouncer]'))
    const names = [...text.matchAll(/^(\w+) = /gm)].map(([, name]) => name)
    assert.deepEqual(names, [...new Set(names)])
    assert.ok(names.includes('auth_file') && names.includes('auth_hba_file'))
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
