/** Real servers whose connections clients have taken. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { waitFor } from '../../../lib/core/wait.ts'
import { keepReserve } from '../../../lib/postgresql/apply-upkeep.ts'
import { probe } from '../../../lib/postgresql/database.ts'
import { askPostgresql } from '../../../lib/postgresql/observe-status.ts'
import { makeRoom } from '../../../lib/postgresql/room.ts'
import { releases, TestServer } from '../support/postgresql.ts'

const ASK_MS = 5000
/** The default of a server. */
const MAX_CONNECTIONS = 100

for (const { name, bin } of releases)
  describe(name, () => {
    let server: TestServer
    const readers: pg.Client[] = []
    before(async () => {
      server = await TestServer.start(bin)
      await server.ask('create role understudy_monitor login in role pg_monitor')
      await server.ask('create role repmgr superuser login')
      await server.ask('create role reader login')
    })
    after(async () => {
      await Promise.all(readers.map((reader) => reader.end().catch(() => {})))
      await server.remove()
    })
    const as = (user: string) => ({ ...server.target, user })

    async function fill(): Promise<void> {
      for (;;) {
        const reader = new pg.Client(as('reader'))
        reader.on('error', () => {})
        try {
          await reader.connect()
        } catch (error) {
          assert.equal((error as { code?: string }).code, '53300')
          return
        }
        readers.push(reader)
      }
    }
    const count = async (): Promise<number> => {
      const sql = `select count(*)::int as count from pg_stat_activity where usename = 'reader'`
      return (await server.ask<{ count: number }>(sql))[0]?.count ?? 0
    }

    test('candidates and the status are answered all the same; nobody else is', async () => {
      await fill()
      process.env['PGPASSFILE'] = '/dev/null'
      assert.deepEqual(await probe(as('understudy_monitor'), ASK_MS), { role: 'primary', timeline: 1 })
      const answer = await askPostgresql(as('understudy_monitor'), ASK_MS)
      assert.equal(answer.role, 'primary')
      const other = await probe(as('reader'), ASK_MS)
      assert.ok(typeof other === 'object' && other.role === 'alive')
      assert.equal(other.sqlstate, '53300')
    })

    test('where no superuser gets in either, the answer is that the server is alive, and why', async () => {
      await server.ask('alter role repmgr connection limit 0')
      await server.ask('alter role repmgr nosuperuser')
      const found = await probe(as('understudy_monitor'), ASK_MS)
      await server.ask('alter role repmgr superuser')
      assert.ok(typeof found === 'object' && found.role === 'alive')
      assert.match(found.says, /connection slots|too many clients/)
    })

    test('a promotion makes room: half of the connections, idle readers first', async () => {
      const busy = readers
        .at(0)
        ?.query('select pg_sleep(60)')
        .catch(() => 'ended')
      await waitFor('a reader to be busy', ASK_MS, async () => {
        const sql = `select 1 from pg_stat_activity where usename = 'reader' and state = 'active'`
        return (await server.ask(sql)).length > 0 || null
      })
      await server.connected(makeRoom)
      await waitFor('readers to leave', ASK_MS, async () => (await count()) < MAX_CONNECTIONS / 2 || null)
      const left = await count()
      assert.ok(left > MAX_CONNECTIONS / 2 - 3, `${left} are left`)
      const active = await server.ask(
        `select from pg_stat_activity where usename = 'reader' and state = 'active'`,
      )
      assert.equal(active.length, 1, 'the busy one is among them')
      await server.connected(makeRoom)
      assert.equal(await count(), left, 'nobody is ended where there is room')
      await server.ask(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'`)
      await busy
    })

    test('the monitoring role gets the privilege of reserved connections once, where there is one', async () => {
      const has = `select pg_has_role('understudy_monitor', oid, 'member') as has from pg_roles where rolname = 'pg_use_reserved_connections'`
      const [before] = await server.ask<{ has: boolean }>(has)
      await server.connected(keepReserve)
      await server.connected(keepReserve)
      const [now] = await server.ask<{ has: boolean }>(has)
      assert.deepEqual([before?.has, now?.has], before ? [false, true] : [undefined, undefined])
    })
  })
