/** Our SQL, and what we read from its answers, on real servers of several releases. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { proveCommitsWait } from '../../../lib/postgresql/apply-commit-rule.ts'
import { keepMetadata } from '../../../lib/postgresql/apply-upkeep.ts'
import { type Connection, STATE, type Target, withDatabase } from '../../../lib/postgresql/client.ts'
import { hbaLines, lastHbaLines, renderPostgresql } from '../../../lib/postgresql/config.ts'
import { PSQL_STATEMENTS, sessionDefaultsOf } from '../../../lib/postgresql/config-session.ts'
import { renderSynchronous } from '../../../lib/postgresql/config-synchronous.ts'
import { readDataDirectory } from '../../../lib/postgresql/control-data.ts'
import { readDamagedPages } from '../../../lib/postgresql/damaged-pages.ts'
import { probe, readRole } from '../../../lib/postgresql/database.ts'
import { decideConfirmed } from '../../../lib/postgresql/decide-confirmed.ts'
import { commitRule, NO_WAIT } from '../../../lib/postgresql/decide-durability.ts'
import type { FoundRole } from '../../../lib/postgresql/decide-join.ts'
import { unsafeOf } from '../../../lib/postgresql/decide-settings.ts'
import { readHotStandby } from '../../../lib/postgresql/hot-standby.ts'
import { keepLoginLookup } from '../../../lib/postgresql/login-lookup.ts'
import { parseLsn } from '../../../lib/postgresql/lsn.ts'
import { readUpstream } from '../../../lib/postgresql/observe-follow.ts'
import { readOffer } from '../../../lib/postgresql/observe-lineage.ts'
import { readSettingsInEffect } from '../../../lib/postgresql/observe-settings.ts'
import { askPostgresql } from '../../../lib/postgresql/observe-status.ts'
import { readStreams } from '../../../lib/postgresql/observe-streams.ts'
import { positionStatement } from '../../../lib/postgresql/recorder.ts'
import { readPending } from '../../../lib/postgresql/restart.ts'
import { closedQuery, rolesQuery } from '../../../lib/postgresql/server.ts'
import { setAndReload } from '../../../lib/postgresql/setting.ts'
import { dropSlots, ensureSlot, evictStandbys } from '../../../lib/postgresql/slots.ts'
import { releases, TestServer } from '../support/postgresql.ts'

const ASK_MS = 5000

/** What `quick-check` gets for one question. */
const answerTo =
  (question: string) =>
  async (connection: Pick<Connection, 'query'>): Promise<string> => {
    const answers: unknown[] = []
    for (const statement of question.split(';')) answers.push(await connection.query(statement))
    return JSON.stringify(answers)
  }

const isOfCommits = ({ name }: { name: string }): boolean =>
  ['fsync', 'full_page_writes', 'synchronous_commit'].includes(name)

/** The test's servers come without one. */
const psql = releases.map(({ bin }) => `${bin}/psql`).find((path) => existsSync(path))

for (const { name, bin } of releases)
  describe(name, () => {
    let server: TestServer
    let standby: TestServer
    before(async () => {
      server = await TestServer.start(bin)
      await server.ask('create role understudy_monitor login in role pg_monitor')
      await server.ask('create role repmgr superuser login')
      await server.ask('create database repmgr owner repmgr')
      standby = await server.standby('n2')
    })
    after(async () => {
      await standby.remove()
      await server.remove()
    })
    const as = (user: string, one = server, database = 'postgres'): Target => ({
      ...one.target,
      user,
      database,
    })

    test('the role of a primary and of a standby, for every user who asks', async () => {
      for (const user of ['postgres', 'understudy_monitor', 'repmgr']) {
        assert.deepEqual(await probe(as(user), ASK_MS), { role: 'primary', timeline: 1 }, user)
        const found = await probe(as(user, standby), ASK_MS)
        assert.ok(typeof found === 'object' && found.role === 'standby', user)
        assert.equal(found.timeline, 1)
        assert.ok(found.receivedLsn > 0n)
        assert.equal(found.receiverStopped, false)
      }
    })

    const state = (one: TestServer): Promise<string> =>
      withDatabase(as('understudy_monitor', one), ASK_MS, answerTo(STATE))
    // A new server writes for a moment longer: autovacuum and the background writer have work of their own.
    const settled = (one: TestServer): Promise<string> =>
      waitFor('the server to rest', ASK_MS, async () => {
        const before = await state(one)
        return (await state(one)) === before ? before : null
      })

    test('what is kept of a server for quick-check: the same until something changes, here and on a standby', async () => {
      for (const change of [
        'create database note',
        'alter role repmgr set work_mem = 64',
        'create role someone in role pg_monitor',
        "alter role someone password 'other'",
        'drop role someone',
        'select pg_reload_conf()',
      ]) {
        const [before, standbyBefore] = [await settled(server), await settled(standby)]
        await server.ask(change)
        await waitFor(change, ASK_MS, async () => (await state(server)) !== before || null)
        // A standby reloads and counts by itself.
        if (/^select| someone/.test(change)) continue
        await waitFor(
          `${change} on the standby`,
          ASK_MS,
          async () => (await state(standby)) !== standbyBefore || null,
        )
      }
    })

    test('what is kept of a server for quick-check: what PgBouncer asks with is dropped from a database', async () => {
      await server.connected((own) => keepLoginLookup(own, 'secret'))
      const before = await settled(server)
      await server.ask('drop schema understudy cascade')
      assert.notEqual(await state(server), before)
    })

    test('a write is no change of the state, and is recorded as the upkeep records it', async () => {
      const ask = <T>(work: (own: Connection) => Promise<T>) =>
        withDatabase(as('understudy_monitor'), ASK_MS, work)
      const commit = commitRule(['n2'])
      const rule = (text: string) =>
        server.connected((own) => setAndReload(own, { synchronous_standby_names: text }))
      await rule(renderSynchronous(commit))
      const streams = await server.connected(readStreams)
      const seen = { node: 'n1', timeline: 1, commit, streams }
      const recorded = async (counted: typeof seen): Promise<unknown> => {
        const [row] = await ask((own) => own.query(positionStatement(counted)))
        const [text] = Object.values(row ?? {}) as (string | null)[]
        return text && JSON.parse(Buffer.from(text, 'base64').toString())
      }
      const decided = async (counted: typeof seen): Promise<unknown> => {
        const [row] = await server.ask<{ lsn: string }>(
          'select checkpoint_lsn::text as lsn from pg_control_checkpoint()',
        )
        const checkpoint = parseLsn(row?.lsn ?? '')
        const now = await server.connected(readStreams)
        const plan = decideConfirmed({ ...counted, streams: now, checkpoint, recorded: null })
        return plan.do === 'record' ? plan.confirmed : plan
      }
      const same = (counted: typeof seen) =>
        waitFor('the server to rest', ASK_MS, async () => {
          const [one, other] = [await recorded(counted), await decided(counted)]
          if (!isDeepStrictEqual(one, other)) throw new Error(JSON.stringify([one, other]))
          return one
        })
      const [before, stateBefore] = [await same(seen), await state(server)]
      await server.ask('create table public.written as select 1')
      assert.equal(await state(server), stateBefore)
      assert.notDeepEqual(await same(seen), before)
      // Another process, and another rule.
      const others = streams.map((stream) => ({ ...stream, started: '1' }))
      assert.equal(await recorded({ ...seen, streams: others }), undefined)
      assert.equal(await recorded({ ...seen, commit: NO_WAIT }), undefined)
      await rule('')
      assert.equal(await recorded(seen), undefined)
      await same({ ...seen, commit: NO_WAIT })
    })

    test('a WAL receiver that stops, and goes on', async () => {
      const stopped = async () => {
        const role = await standby.connected(readRole)
        return role.role === 'standby' && role.receiverStopped
      }
      const { primary_conninfo: conninfo = '' } =
        (
          await standby.ask<{ primary_conninfo: string }>(
            `select current_setting('primary_conninfo') as primary_conninfo`,
          )
        )[0] ?? {}
      await standby.connected((own) => setAndReload(own, { primary_conninfo: '' }))
      await waitFor('it to stop', ASK_MS, async () => (await stopped()) || null, 20)
      await standby.connected((own) => setAndReload(own, { primary_conninfo: conninfo }))
      await waitFor('it to go on', ASK_MS, async () => !(await stopped()) || null, 20)
    })

    test('a WAL receiver does not stop while replay is paused, and a pause is seen', async () => {
      const role = async () => {
        const found = await standby.connected(readRole)
        if (found.role !== 'standby') throw new Error(`it is ${found.role}`)
        return found
      }
      const [{ conninfo } = { conninfo: '' }] = await standby.ask<{ conninfo: string }>(
        `select current_setting('primary_conninfo') as conninfo`,
      )
      await standby.ask('select pg_wal_replay_pause()')
      await server.ask('create table public.paused as select 1')
      await waitFor('the pause', ASK_MS, async () => (await role()).paused ?? null, 20)
      await standby.connected((own) => setAndReload(own, { primary_conninfo: '' }))
      // The server has read its settings when this has come back.
      await waitFor('the reload', ASK_MS, async () => {
        const [row] = await standby.ask<{ now: string }>(`select current_setting('primary_conninfo') as now`)
        return row?.now === '' || null
      })
      assert.equal((await role()).receiverStopped, false)
      await standby.ask('select pg_wal_replay_resume()')
      await waitFor('it to stop', ASK_MS, async () => (await role()).receiverStopped || null, 20)
      assert.equal((await role()).paused, undefined)
      await standby.connected((own) => setAndReload(own, { primary_conninfo: conninfo }))
      await waitFor('it to go on', ASK_MS, async () => !(await role()).receiverStopped || null, 20)
    })

    test('time-outs of the server, the database and the role do not end our sessions', async (t) => {
      const known = await server.ask<{ name: string }>(
        `select name from pg_settings where name in ('statement_timeout', 'transaction_timeout')`,
      )
      t.after(() => server.ask('alter role understudy_monitor reset all'))
      for (const { name: setting } of known)
        await server.ask(`alter role understudy_monitor set ${setting} = '100ms'`)
      const slow = (connection: Connection) => connection.query('select pg_sleep(0.3)')
      await withDatabase(as('understudy_monitor'), ASK_MS, slow)
    })

    test('what psql begins with, and what a role gets by it', { skip: psql === undefined }, async () => {
      const text = [PSQL_STATEMENTS, ...sessionDefaultsOf('repmgr'), 'select 1;'].join('\n')
      const argv = ['-XAtqw', '-v', 'ON_ERROR_STOP=1', '-h', server.directory, '-U', 'postgres']
      const said = execFileSync(psql ?? '', [...argv, '-f', '-'], { input: text, encoding: 'utf8' })
      assert.equal(said, '1\n')
      const [row] = await server.ask<{ set: boolean; known: boolean }>(
        `select coalesce('transaction_timeout=0' = any(rolconfig), false) as set,
           current_setting('transaction_timeout', true) is not null as known
         from pg_roles where rolname = 'repmgr'`,
      )
      assert.equal(row?.set, row?.known)
    })

    test('a stream of the operator may have a time-out of its own', {
      skip: psql === undefined,
    }, async (t) => {
      t.after(() => server.ask('drop role stream'))
      await server.ask('create role stream login replication superuser')
      await server.ask("alter role stream set wal_sender_timeout = '50s'")
      const shown = (more: string): string =>
        execFileSync(
          psql ?? '',
          ['-XAtc', 'SHOW wal_sender_timeout', `host=${server.directory} user=stream ${more}`],
          { encoding: 'utf8' },
        ).trim()
      assert.equal(shown('replication=database dbname=postgres'), '50s')
      assert.equal(shown('replication=true'), '3s')
      assert.equal(shown("replication=true options='-c wal_sender_timeout=60s'"), '1min')
    })

    test('where the next start finds its data, as its configuration says', async () => {
      const config = `${server.directory}/moved.conf`
      const program = `${bin}/postgres`
      writeFileSync(config, `data_directory = '${server.directory}/gone'\n`)
      assert.equal(await readDataDirectory(program, config), `${server.directory}/gone`)
      writeFileSync(config, 'data_directory = \nport = x\n')
      assert.equal(await readDataDirectory(program, config), null)
      await assert.rejects(readDataDirectory(`${bin}/no-postgres`, config))
    })

    test('a standby whose primary has larger settings now is paused', async () => {
      await server.ask('alter system set max_worker_processes = 32')
      await server.restart()
      const paused = async () => {
        const role = await standby.connected(readRole)
        return (role.role === 'standby' && role.paused) || null
      }
      await waitFor('the pause', ASK_MS, paused, 20)
      assert.equal((await standby.connected(readHotStandby)).get('max_worker_processes'), 8)
      assert.equal((await server.connected(readHotStandby)).get('max_worker_processes'), 32)
      await standby.ask('alter system set max_worker_processes = 32')
      await standby.restart()
      assert.equal(await paused(), null)
    })

    test('what a member sets is recognised when it is in effect, and so is what is missing', async () => {
      // These servers have no repmgr and no network.
      const without = new Map([
        ['listen_addresses', ''],
        ['shared_preload_libraries', ''],
      ])
      const member = await TestServer.start(bin, renderPostgresql(5432, 15, without))
      try {
        const found = unsafeOf(await member.connected(readSettingsInEffect))
        assert.deepEqual(
          found.map(({ name }) => name),
          [...without.keys()],
        )
        assert.ok(found.every(({ file, restart }) => restart && file?.endsWith('/postgresql.conf')))
        assert.ok(unsafeOf(await server.connected(readSettingsInEffect)).some((one) => one.default))
      } finally {
        await member.remove()
      }
    })

    test('pages that are damaged on the disk are counted when they are read, and another look would find more', async (t) => {
      const damaged = await TestServer.start(bin)
      t.after(() => damaged.remove())
      await damaged.ask('create table public.t as select generate_series(1, 1000) as n')
      const [place] = await damaged.ask<{ file: string }>(`select pg_relation_filepath('public.t') as file`)
      await damaged.end()
      const file = openSync(join(damaged.data, place?.file ?? ''), 'r+')
      writeSync(file, 'damage', 4096)
      closeSync(file)
      await damaged.run()
      const before = await damaged.connected(answerTo(STATE))
      assert.deepEqual(await damaged.connected(readDamagedPages), {
        failures: 0,
        last: null,
        role: 'primary',
      })
      await assert.rejects(damaged.ask('select * from public.t'), /invalid page/)
      const found = await waitFor('the damage to be counted', ASK_MS, async () => {
        const pages = await damaged.connected(readDamagedPages)
        return pages.failures > 0 ? pages : null
      })
      assert.ok(Math.abs(Date.parse(found.last ?? '') - Date.now()) < 60_000)
      const after = await damaged.connected(answerTo(STATE))
      assert.notEqual(after, before)
    })

    test('our rules let the application and everybody else in, with whatever kind of secret a password has', async (t) => {
      const network = '10.77.0.0/24'
      const overSocket = [...hbaLines(network, 'app'), ...lastHbaLines(network)]
        .filter((line) => line.startsWith('host all '))
        .map((line) => line.replace(/^host /, 'local ').replace(` ${network} `, ' '))
      const rules = ['local all postgres trust', ...overSocket, '']
      const member = await TestServer.start(bin)
      t.after(() => member.remove())
      writeFileSync(join(member.data, 'pg_hba.conf'), rules.join('\n'))
      for (const encryption of ['md5', 'scram-sha-256']) {
        await member.ask(`alter system set password_encryption = '${encryption}'`)
        await member.ask('select pg_reload_conf()')
        await waitFor('the reload', ASK_MS, async () => {
          const [row] = await member.ask<{ now: string }>(
            `select current_setting('password_encryption') as now`,
          )
          return row?.now === encryption || null
        })
        for (const user of ['app', 'other']) {
          await member.ask(`drop role if exists ${user}`)
          await member.ask(`create role ${user} login password 'known'`)
          const logIn = (password: string) =>
            withDatabase({ ...member.target, user, password }, ASK_MS, (own) => own.query('select 1'))
          await logIn('known')
          await assert.rejects(logIn('guessed'), `${user} with ${encryption}`)
        }
      }
      // Our own roles have no other secrets than those that we give them.
      await member.ask(`set password_encryption = 'md5'; create role repmgr login password 'known'`)
      await assert.rejects(
        withDatabase({ ...member.target, user: 'repmgr', password: 'known' }, ASK_MS, (own) =>
          own.query('select 1'),
        ),
      )
    })

    test('what a join asks about the roles and databases of an application', async (t) => {
      t.after(async () => {
        await server.ask('drop database theirs')
        await server.ask('drop role plain, boss, streams, late')
      })
      for (const make of [
        'create role plain login connection limit 0',
        `create role boss login superuser valid until 'infinity'`,
        'create role streams login replication',
        `create role late valid until '2020-01-01'`,
        'create database theirs',
        'revoke connect on database theirs from public',
      ])
        await server.ask(make)
      const found = async (user: string) => {
        const all = await server.ask<FoundRole>(rolesQuery(user))
        return all.find(({ name }) => name === user)
      }
      const usual = { secret: null, login: true, superuser: false, replication: false, expired: false }
      const role = { ...usual, mayConnect: true }
      assert.deepEqual(await found('plain'), { ...role, name: 'plain', mayConnect: false })
      assert.deepEqual(await found('boss'), { ...role, name: 'boss', superuser: true })
      assert.deepEqual(await found('streams'), { ...role, name: 'streams', replication: true })
      assert.deepEqual(await found('late'), { ...role, name: 'late', login: false, expired: true })
      assert.equal(await found(`o'neill`), undefined)
      const closed = async (user: string) =>
        (
          await server.ask<{ name: string }>(closedQuery(['theirs', 'postgres', 'template0', 'none'], user))
        ).map(({ name }) => name)
      assert.deepEqual(await closed('plain'), ['template0', 'theirs'])
      assert.deepEqual(await closed('nobody'), ['template0', 'theirs'])
      await server.ask('grant connect on database theirs to plain')
      assert.deepEqual(await closed('plain'), ['template0'])
    })

    test('how a standby streams', async () => {
      const { conninfo, slot, streaming } = await withDatabase(
        as('understudy_monitor', standby),
        ASK_MS,
        readUpstream,
      )
      assert.match(conninfo, /application_name=n2/)
      assert.deepEqual({ slot, streaming }, { slot: '', streaming: true })
    })

    test('the status', async () => {
      const answer = await askPostgresql(as('understudy_monitor'), ASK_MS)
      assert.ok(answer.role === 'primary' && answer.position > 0n)
      assert.ok(answer.hotStandby.get('max_connections') === 100)
      assert.deepEqual(answer.unsafe?.filter(isOfCommits), [])
      await waitFor('the standby to stream', ASK_MS, async () => {
        const of = await askPostgresql(as('understudy_monitor', standby), ASK_MS)
        return (of.role === 'standby' && of.streaming && of.upstream === server.directory) || null
      })
    })

    test('whether a standby can go on with this primary', async () => {
      const { host, port } = server.target
      const offer = await readOffer({ host, port }, ASK_MS)
      assert.equal(offer.timeline, 1)
      assert.ok(offer.oldest <= offer.end)
    })

    test('slots', async () => {
      const slots = async () =>
        (
          await server.ask<{ name: string }>('select slot_name as name from pg_replication_slots order by 1')
        ).map((slot) => slot.name)
      await server.connected(async (own) => {
        for (const id of [2, 3, 2]) await ensureSlot(own, `repmgr_slot_${id}`)
        await own.query(`select pg_create_physical_replication_slot('theirs')`)
        await dropSlots(own, ['repmgr_slot_3'])
      })
      assert.deepEqual(await slots(), ['repmgr_slot_3', 'theirs'])
      await server.connected(evictStandbys)
      assert.deepEqual(await slots(), ['theirs'])
    })

    test("repmgr's metadata", async () => {
      const repmgr = as('repmgr', server, 'repmgr')
      await withDatabase(repmgr, ASK_MS, async (own) => {
        await own.query('create schema repmgr')
        // As repmgr 5.5 makes it, https://github.com/EnterpriseDB/repmgr.
        await own.query(
          `create table repmgr.nodes (node_id int primary key, upstream_node_id int references repmgr.nodes deferrable, active boolean not null,
             node_name text not null, type text not null)`,
        )
        await own.query(
          `insert into repmgr.nodes values (1, null, true, 'n1', 'primary'), (2, 1, true, 'n2', 'standby'), (3, 1, true, 'n3', 'standby')`,
        )
        await keepMetadata(own, 2)
        assert.deepEqual(
          await own.query(
            'select node_id as id, type, upstream_node_id as upstream from repmgr.nodes order by 1',
          ),
          [
            { id: 1, type: 'standby', upstream: 2 },
            { id: 2, type: 'primary', upstream: null },
            { id: 3, type: 'standby', upstream: 2 },
          ],
        )
      })
    })

    test('settings that wait for a restart, as monitoring sees them', async (t) => {
      const pending = (one = server) => withDatabase(as('understudy_monitor', one), ASK_MS, readPending)
      t.after(async () => {
        await server.ask('alter system reset all')
        await server.ask('select pg_reload_conf()')
      })
      assert.deepEqual(await pending(), { pending: [], role: 'primary' })
      assert.deepEqual(await pending(standby), { pending: [], role: 'standby' })
      await server.ask('alter system set max_connections = 77')
      await server.ask("alter system set shared_preload_libraries = 'nothing'")
      await server.ask("alter system set work_mem = '5MB'")
      await server.ask('select pg_reload_conf()')
      await waitFor('the postmaster to have read it', ASK_MS, async () => {
        const { pending: found } = await pending()
        return (found !== UNKNOWN && found.join() === 'max_connections,shared_preload_libraries') || null
      })
    })

    test('settings that undo what a commit promises, wherever they are set', async (t) => {
      const unsafe = async (one = server) =>
        unsafeOf(await withDatabase(as('understudy_monitor', one), ASK_MS, readSettingsInEffect))
          .filter(isOfCommits)
          .map(({ name, value, file, of }) => `${name} ${value} ${of ?? file?.replace(/.*\//, '')}`)
      t.after(async () => {
        await server.ask('alter system reset all')
        await server.ask('select pg_reload_conf()')
      })
      assert.deepEqual(await unsafe(), [])
      await server.ask('create role "an app" login')
      for (const set of [
        'alter database repmgr set synchronous_commit = off',
        'alter role "an app" set synchronous_commit = local',
        'alter role "an app" in database postgres set synchronous_commit = remote_write',
        'alter role repmgr set synchronous_commit = remote_apply',
        'alter role all set synchronous_commit = 0',
        'alter system set fsync = off',
        'alter system set full_page_writes = off',
      ])
        await server.ask(set)
      await server.ask('select pg_reload_conf()')
      const clients = [
        'synchronous_commit off database repmgr',
        'synchronous_commit 0 role all',
        'synchronous_commit local role "an app"',
        'synchronous_commit remote_write role "an app" in database postgres',
      ]
      const own = ['fsync off postgresql.auto.conf', 'full_page_writes off postgresql.auto.conf']
      await waitFor(
        'the server to read its settings',
        ASK_MS,
        async () => (await unsafe()).length >= 6 || null,
      )
      assert.deepEqual((await unsafe()).sort(), [...own, ...clients].sort())
      // A standby says what is its own.
      await waitFor('the standby to have it', ASK_MS, async () => {
        const [row] = await standby.ask<{ count: string }>('select count(*)::text from pg_db_role_setting')
        return row?.count === '5' || null
      })
      assert.deepEqual(await unsafe(standby), [])
    })

    test('a standby that is promoted: its commits wait from the beginning, by what was set before', async () => {
      await standby.connected(async (own) => {
        await setAndReload(own, {
          primary_conninfo: '',
          synchronous_standby_names: renderSynchronous({ standbys: ['n1', 'n3'], count: 1 }),
        })
        await own.query('select pg_promote(false)')
        await waitFor(
          'it to be promoted',
          ASK_MS,
          async () => (await readRole(own)).role === 'primary' || null,
          20,
        )
      })
      await proveCommitsWait(standby.target)
      assert.deepEqual(await probe(as('understudy_monitor', standby), ASK_MS), {
        role: 'primary',
        timeline: 2,
      })
    })
  })
