/** What PgBouncer may ask a real server. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Connection, withDatabase } from '../../../lib/postgresql/client.ts'
import { LOOKUP_QUERY, LOOKUP_ROLE } from '../../../lib/postgresql/config.ts'
import { hasLoginLookup, keepLoginLookup, lookupPassword } from '../../../lib/postgresql/login-lookup.ts'
import { scramSecret } from '../../../lib/postgresql/scram.ts'
import { releases, TestServer } from '../support/postgresql.ts'

const PASSWORD = lookupPassword('of repmgr')

test('the password of the lookup follows from that of repmgr, and does not tell it', () => {
  assert.equal(lookupPassword('of repmgr'), PASSWORD)
  assert.notEqual(lookupPassword('of another'), PASSWORD)
  assert.doesNotMatch(PASSWORD, /repmgr/)
})

for (const { name, bin } of releases)
  describe(name, () => {
    let server: TestServer
    before(async () => {
      server = await TestServer.start(bin)
      await server.ask('create role monitor login')
      await server.ask(`create role app login password 'a'`)
      await server.ask('create database "my App" owner app')
    })
    after(() => server.remove())

    const as = <T>(user: string, work: (connection: Connection) => Promise<T>, database = 'my App') =>
      withDatabase({ ...server.target, user, database }, 5000, work)
    const keep = () => as('postgres', (own) => keepLoginLookup(own, PASSWORD))
    const lookUp = (user: string) =>
      as(LOOKUP_ROLE, (own) => own.query<{ secret: string }>(LOOKUP_QUERY, [user]))

    test('it is made once, and made again with what is missing', async () => {
      assert.equal(await as('monitor', hasLoginLookup), false)
      await keep()
      assert.equal(await as('monitor', hasLoginLookup), true)
      const { xid } = (await server.ask<{ xid: string }>('select pg_current_xact_id()::text as xid'))[0] ?? {}
      await keep()
      const [next] = await server.ask<{ xid: string }>('select pg_current_xact_id()::text as xid')
      assert.equal(Number(next?.xid) - Number(xid), 1, 'nothing was written')

      for (const damage of [
        `drop schema understudy cascade`,
        `alter role ${LOOKUP_ROLE} password 'x'`,
        `alter role ${LOOKUP_ROLE} nologin`,
        `revoke execute on function understudy.login(text) from ${LOOKUP_ROLE}`,
        `revoke connect on database "my App" from public, ${LOOKUP_ROLE}`,
      ]) {
        await as('postgres', (own) => own.query(damage))
        await keep()
        assert.equal((await lookUp('app')).length, 1, damage)
        await server.ask('grant connect on database "my App" to public')
        const [role] = await server.ask<{ secret: string }>(
          `select rolpassword as secret from pg_authid where rolname = '${LOOKUP_ROLE}'`,
        )
        assert.equal(role?.secret, scramSecret(LOOKUP_ROLE, PASSWORD), damage)
      }
    })

    test('several machines that join at the same moment', async () => {
      await as('postgres', (own) => own.query('drop schema understudy cascade'))
      await Promise.all([keep(), keep(), keep()])
      assert.equal((await lookUp('app')).length, 1)
    })

    test('it gives the secret of whoever may log in, as PostgreSQL has it now', async () => {
      await keep()
      const secretOf = async (user: string) => (await lookUp(user))[0]?.secret
      await server.ask(`alter role app password '${scramSecret('app', 'b')}'`)
      assert.equal(await secretOf('app'), scramSecret('app', 'b'))
      await server.ask(`create role "Röl e" login password 'a' valid until 'infinity'`)
      assert.match((await secretOf('Röl e')) ?? '', /^SCRAM/)
    })

    test('it gives nothing of superusers, of those who replicate, and of those who may not log in', async () => {
      await keep()
      await server.ask(`alter role postgres password 'a'`)
      await server.ask(`create role streams login replication password 'a'`)
      await server.ask(`create role blocked password 'a'`)
      await server.ask(`create role late login password 'a' valid until '2020-01-01'`)
      for (const user of ['postgres', 'streams', 'blocked', 'late', 'nobody'])
        assert.deepEqual(await lookUp(user), [], user)
    })

    test('nobody else may ask, and who asks may do nothing else', async () => {
      await keep()
      await assert.rejects(
        as('monitor', (own) => own.query(LOOKUP_QUERY, ['app'])),
        /permission denied/,
      )
      for (const sql of [
        'select * from pg_authid',
        'create table understudy.t ()',
        'create or replace function understudy.login(text) returns int return 1',
        'alter role app superuser',
      ])
        await assert.rejects(
          as(LOOKUP_ROLE, (own) => own.query(sql)),
          /permission denied|must be/,
          sql,
        )
    })

    test('objects of others in a search path do not change what it says', async () => {
      await keep()
      await as('app', (own) =>
        own.query(
          `create schema app authorization app; create table app.pg_authid (rolname name, rolpassword text)`,
        ),
      )
      await as('postgres', (own) => own.query(`alter role ${LOOKUP_ROLE} set search_path = app, pg_catalog`))
      assert.match((await lookUp('app'))[0]?.secret ?? '', /^SCRAM/)
    })
  })
