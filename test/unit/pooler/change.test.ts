import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Consul } from '../../../lib/consul/client.ts'
import type { Pooled } from '../../../lib/consul/manifest.ts'
import { changePooled, withDatabases, withoutDatabase, withSettings } from '../../../lib/pooler/change.ts'
import { parseDatabasesCommand } from '../../../lib/pooler/options.ts'
import { databaseProblem, renderSettings, settingProblem } from '../../../lib/pooler/settings.ts'
import { answering, closeServers, listen } from '../support/server.ts'

const NONE: Pooled = { schema: 1, databases: [], settings: {} }

describe('understudy databases', () => {
  test('its arguments', () => {
    assert.deepEqual(parseDatabasesCommand(['list', '--json']), { verb: 'list', json: true })
    assert.deepEqual(parseDatabasesCommand(['add', 'a', 'My b']), { verb: 'add', names: ['a', 'My b'] })
    assert.deepEqual(parseDatabasesCommand(['set', 'pool_mode=transaction', 'query_timeout=']), {
      verb: 'set',
      changes: { pool_mode: 'transaction', query_timeout: '' },
    })
    for (const [argv, said] of [
      [[], /run understudy databases list, add, remove or set;/],
      [['drop', 'a'], /not drop/],
      [['add'], /run understudy databases add DATABASE/],
      [['set'], /run understudy databases set NAME=VALUE/],
      [['set', 'pool_mode'], /set takes NAME=VALUE, not pool_mode/],
      [['list', 'a'], /unexpected argument a/],
      [['add', 'a', '--json'], /--json is for list/],
    ] as const)
      assert.throws(() => parseDatabasesCommand(argv), said)
  })

  test('databases are added once, and removed', () => {
    const two = withDatabases(withDatabases(NONE, ['b', 'a']), ['a'])
    assert.deepEqual(two.databases, ['b', 'a'])
    assert.deepEqual(withoutDatabase(two, 'b').databases, ['a'])
    assert.throws(() => withoutDatabase(two, 'c'), /c cannot be removed; the databases that can are: b, a/)
    assert.throws(() => withDatabases(NONE, ['pgbouncer']), /cannot be a database behind PgBouncer/)
  })

  test('a setting is chosen, changed, and given back', () => {
    const one = withSettings(NONE, { pool_mode: 'transaction', default_pool_size: '80' })
    const other = withSettings(one, { default_pool_size: '', pool_mode: 'session' })
    assert.deepEqual(other.settings, { pool_mode: 'session' })
    assert.throws(
      () => withSettings(NONE, { pool_mode: 'fast' }),
      /pool_mode takes session, transaction, statement/,
    )
  })

  test('what PgBouncer would not start with is refused', () => {
    for (const [name, value] of [
      ['listen_port', '1'],
      ['toString', '1'],
      ['pool_mode', 'Session'],
      ['default_pool_size', '0'],
      ['default_pool_size', '1e3'],
      ['default_pool_size', '-1'],
      ['default_pool_size', '1\nadmin_users = app'],
      ['max_client_conn', '1000000'],
      ['query_timeout', '1.5'],
      ['ignore_startup_parameters', 'a b'],
      ['ignore_startup_parameters', 'a\nauth_type = any'],
    ] as const)
      assert.notEqual(settingProblem(name, value), null, `${name}=${value}`)
    for (const [name, value] of [
      ['pool_mode', 'statement'],
      ['max_client_conn', '2000'],
      ['query_timeout', '0'],
      ['ignore_startup_parameters', 'search_path,statement_timeout'],
    ] as const)
      assert.equal(settingProblem(name, value), null, `${name}=${value}`)
  })

  test('names of databases', () => {
    for (const name of ['app', 'My-db', 'a.b', '1', 'a'.repeat(63)])
      assert.equal(databaseProblem(name), null, name)
    for (const name of ['', '*', 'pgbouncer', 'repmgr', 'a\nb', 'My "db"', 'größe', 'a'.repeat(64)])
      assert.notEqual(databaseProblem(name), null, name)
  })

  test('what a build of another version has written is left out, and drivers that need it still get in', () =>
    assert.equal(
      renderSettings({ new_setting: '1', pool_mode: 'odd', ignore_startup_parameters: 'search_path' }),
      'ignore_startup_parameters = extra_float_digits,search_path\n',
    ))

  describe('in Consul', () => {
    afterEach(closeServers)

    test('a change that is none writes nothing; one that was overtaken is made again', async () => {
      const stored = { ...NONE, databases: ['a'] }
      let refusals = 1
      const { listener, seen } = answering(({ method }) => {
        if (method === 'GET')
          return {
            text: JSON.stringify([
              {
                Key: 'understudy/pgbouncer',
                Value: Buffer.from(JSON.stringify(stored)).toString('base64'),
                ModifyIndex: 7,
                LockIndex: 0,
                CreateIndex: 1,
                Flags: 0,
              },
            ]),
          }
        refusals -= 1
        return { text: String(refusals < 0) }
      })
      const consul = new Consul({ port: await listen(listener) })
      await changePooled(consul, (pooled) => withDatabases(pooled, ['a']))
      assert.deepEqual(
        seen.filter(({ method }) => method === 'PUT'),
        [],
      )
      await changePooled(consul, (pooled) => withDatabases(pooled, ['b']))
      const writes = seen.filter(({ method }) => method === 'PUT')
      assert.equal(writes.length, 2)
      assert.deepEqual(JSON.parse(writes[1]?.text ?? ''), { ...NONE, databases: ['a', 'b'] })
      assert.match(writes[1]?.url ?? '', /cas=7/)
    })
  })
})
