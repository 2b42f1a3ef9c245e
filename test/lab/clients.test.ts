/** What clients of a cluster do: change roles, read slowly, take all connections, set parameters. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import {
  addressOf,
  primaryAndStandbys,
  sqlAsPostgres,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
  untilWritable,
  VIRTUAL_IP,
} from './lib/cluster.ts'
import type { ExecResult } from './lib/exec.ts'
import type { Lab } from './lib/lab.ts'
import { ownCluster } from './lib/own-cluster.ts'

const name = 'clients'
const all = ['n1', 'n2', 'n3']
/** What a failover takes on a busy host. */
const FAILOVER_MS = 30_000
let lab: Lab
let password: string

ownCluster(name, (own, ownPassword) => {
  lab = own
  password = ownPassword
})

/** A service on a machine, through its own PgBouncer. */
const local = (
  machine: string,
  user: string,
  secret: string,
  sql: string,
  database = 'app',
): Promise<ExecResult> =>
  lab.exec(
    machine,
    ['psql', '-XAtq', '-h', 'localhost', '-p', '6432', '-U', user, '-d', database, '-c', sql],
    { env: { PGPASSWORD: secret, PGCONNECT_TIMEOUT: '10' }, reject: false },
  )

async function assertLogins(machines: readonly string[], secrets: Record<string, string>): Promise<void> {
  for (const machine of machines)
    for (const [user, secret] of Object.entries(secrets)) {
      const { stdout, stderr } = await local(machine, user, secret, 'select current_user')
      assert.equal(stdout.trim(), user, `${user} on ${machine}: ${stderr}`)
    }
}

test('roles and passwords that change in SQL are in force at once on every machine, also without the old primary', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  await sqlAsPostgres(lab, primary, `create role r2 login password 'y'; alter role app password 'x'`)
  await assertLogins(all, { r2: 'y', app: 'x' })
  const refused = await local(standbys[0] as string, 'app', password, 'select 1')
  assert.notEqual(refused.exitCode, 0, 'the old password is still good')

  await lab.poweroff(primary)
  await untilWritable(lab, 'x', 60_000)
  await assertLogins(standbys, { r2: 'y', app: 'x' })
  const now = (await statusFrom(lab, standbys[0] as string)).primary as string
  await sqlAsPostgres(lab, now, `alter role app password '${password}'; alter role r2 nologin`)
  await assertLogins(standbys, { app: password })
  assert.notEqual((await local(now, 'r2', 'y', 'select 1')).exitCode, 0)
  await lab.poweron(primary)
  await untilHealthy(lab, primary)
})

test('a database that is made anew can be used again within a minute', async () => {
  const { primary } = await primaryAndStandbys(lab, 'n1')
  const dump = `pg_dump --create --clean app >/var/tmp/app.sql
    psql -XAtqd postgres -c 'drop database app with (force)' -c 'create database app owner app'
    psql -Xqd postgres -v ON_ERROR_STOP=1 -c 'select 1' >/dev/null`
  await lab.exec(primary, ['runuser', '-u', 'postgres', '--', 'sh', '-euc', dump])
  await waitFor('the application to log in', 60_000, async () => {
    const { stdout, stderr } = await local(primary, 'app', password, 'select 1')
    if (stdout.trim() !== '1') throw new Error(stderr)
    return true
  })
  await sqlThroughVirtualIp(
    lab,
    password,
    'create table written (value bigint primary key, at timestamptz not null default clock_timestamp())',
  )
})

/** How many of these rows a client gets that does not read for 15 s. */
const ROWS = 400_000
async function readSlowly(host: string, port: number): Promise<string> {
  const copy = `copy (select repeat(md5(n::text), 40) from generate_series(1, ${ROWS}) n) to stdout`
  const script = `psql -XAtq -h ${host} -p ${port} -U app -d app -c "${copy}" | { sleep 15; wc -l; }`
  const { stdout, stderr } = await lab.clientExec(['sh', '-c', script], {
    env: { PGPASSWORD: password },
    timeoutMs: 120_000,
    reject: false,
  })
  return stdout.trim() + stderr
}

test('a client that does not read for a while gets all of its result, through PgBouncer and from PostgreSQL', async () => {
  const { standbys } = await primaryAndStandbys(lab, 'n1')
  const results = await Promise.all([
    readSlowly(VIRTUAL_IP, 6432),
    readSlowly(addressOf(lab, standbys[0] as string), 5432),
  ])
  assert.deepEqual(results, [String(ROWS), String(ROWS)])
})

test('a service whose statement was on its way to a primary that died does not wait for it', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  const machine = standbys[0] as string
  const loop = `insert into written (value) values (1) on conflict (value) do update set at = clock_timestamp() \\watch 0.01`
  const writing = lab.exec(
    machine,
    ['psql', '-XAtq', '-h', 'localhost', '-p', '6432', '-U', 'app', '-d', 'app'],
    { env: { PGPASSWORD: password }, input: `${loop}\n`, timeoutMs: 90_000, reject: false },
  )
  await waitFor('it to write', 20_000, async () => {
    const sql = `select 1 from written where value = 1 and at > now() - interval '1 second'`
    return (await sqlAsPostgres(lab, primary, sql)) === '1' || null
  })
  const { killedAt } = await lab.poweroff(primary)
  const { stderr } = await writing
  const tookMs = Date.now() - killedAt
  console.log(`its session ended after ${tookMs} ms: ${stderr.trim().split('\n').at(-1)}`)
  assert.ok(tookMs < FAILOVER_MS, `${tookMs} ms`)
  const { stdout } = await local(machine, 'app', password, 'select 1')
  assert.equal(stdout.trim(), '1')
  await lab.poweron(primary)
  await untilHealthy(lab, machine)
})

test('readers that have taken all connections of the standbys stop neither a failover nor the status', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  const readers: Promise<unknown>[] = []
  for (const machine of standbys) {
    const host = addressOf(lab, machine)
    const script = `i=0; while [ $i -lt 320 ]; do
      psql -XAtq -h ${host} -U app -d app -c 'select pg_sleep(300)' >/dev/null 2>&1 & i=$((i+1)); done; wait`
    const options = { env: { PGPASSWORD: password }, timeoutMs: 280_000, reject: false }
    readers.push(lab.clientExec(['sh', '-c', script], options).catch(() => {}))
  }
  for (const machine of standbys)
    await waitFor(`${machine} to be full`, 120_000, async () => {
      const { stderr } = await lab.clientExec(
        ['psql', '-XAtq', '-h', addressOf(lab, machine), '-U', 'app', '-d', 'app', '-c', 'select 1'],
        { env: { PGPASSWORD: password }, reject: false },
      )
      return /connection slots|too many clients/.test(stderr) || null
    })
  const status = await statusFrom(lab, standbys[0] as string)
  assert.deepEqual(status.problems, [])
  const { killedAt } = await lab.poweroff(primary)
  await untilWritable(lab, password, 60_000)
  const tookMs = Date.now() - killedAt
  console.log(`full standbys: written after ${tookMs} ms`)
  assert.ok(tookMs < FAILOVER_MS, `${tookMs} ms`)
  for (const machine of standbys)
    await sqlAsPostgres(
      lab,
      machine,
      `select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '%pg_sleep(300)%' and pid <> pg_backend_pid()`,
    )
  await Promise.all(readers)
  await lab.poweron(primary)
  await untilHealthy(lab, standbys[0] as string)
})

const withOptions = (options: string, sql: string): Promise<ExecResult> =>
  lab.clientExec(
    ['psql', '-XAtq', `host=${VIRTUAL_IP} port=6432 user=app dbname=app options='${options}'`, '-c', sql],
    { env: { PGPASSWORD: password }, reject: false },
  )

test('what a client sets at its start is in force, or the client is told that it is not', async () => {
  for (const [parameter, value, shown] of [
    ['TimeZone', 'Asia/Tokyo', 'Asia/Tokyo'],
    ['DateStyle', 'German', 'German, DMY'],
    ['IntervalStyle', 'iso_8601', 'iso_8601'],
    ['default_transaction_read_only', 'on', 'on'],
    ['search_path', 'pg_catalog', 'pg_catalog'],
    ['statement_timeout', '5000', '5s'],
  ] as const) {
    const { stdout, stderr } = await withOptions(`-c ${parameter}=${value}`, `show ${parameter}`)
    console.log(`${parameter}: ${stdout.trim() || stderr.trim()}`)
    const isTracked = !['search_path', 'statement_timeout'].includes(parameter)
    if (isTracked) assert.equal(stdout.trim(), shown, `${parameter}: ${stderr}`)
    else assert.match(stderr, new RegExp(`unsupported startup parameter in options: ${parameter}`))
  }
})

test('databases and settings of PgBouncer are chosen once for every machine, also after a failover', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  const database = 'My-Reports'
  const sql = `create database "My-Reports" owner app`
  await lab.exec(primary, ['runuser', '-u', 'postgres', '--', 'psql', '-XAtqc', sql])
  const databases = (...args: string[]) =>
    lab.exec(standbys[0] as string, ['understudy', 'databases', ...args])
  await databases('add', database)
  await databases('set', 'default_pool_size=7', 'ignore_startup_parameters=search_path')
  const show = ['runuser', '-u', 'consul', '--', 'psql', '-XAtqh', '/var/run/postgresql', '-p', '6432']
  const untilThere = (machines: readonly string[]) =>
    Promise.all(
      machines.map((machine) =>
        waitFor(`${machine} to lead to it`, 60_000, async () => {
          const found = await local(machine, 'app', password, 'select current_database()', database)
          if (found.stdout.trim() !== database) throw new Error(found.stderr)
          const { stdout } = await lab.exec(machine, [...show, '-c', 'show config', 'pgbouncer'])
          return /^default_pool_size\|7\|/m.test(stdout) || null
        }),
      ),
    )
  await untilThere(all)
  assert.equal((await withOptions('-c search_path=pg_catalog', 'select 1')).stdout.trim(), '1')
  await lab.poweroff(primary)
  await untilWritable(lab, password, 60_000)
  await untilThere(standbys)
  await lab.poweron(primary)
  await untilHealthy(lab, primary)
  await untilThere(all)
  await databases('remove', database)
  await databases('set', 'default_pool_size=', 'ignore_startup_parameters=')
  await waitFor('the defaults to be back', 60_000, async () => {
    const { stdout } = await lab.exec(primary, ['cat', '/run/understudy/pgbouncer/databases.ini'])
    return /pool_size|Reports/.test(stdout) ? null : true
  })
})
