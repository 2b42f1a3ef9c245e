/** Copies of the primary: of large databases over slow disks, with tablespaces, and in the place of damaged files. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { join, mustJoin, packageFile, sqlAsPostgres, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'

const name = 'copies'
const PLACES = ['/srv/ts', '/srv/other'] as const
const MEASURE_MS = 120_000
/** The table `big` has 400 MB: no copy is over before a test has met it. */
const RATE = ['--copy-rate', '32M']
let lab: Lab

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-c', script], { timeoutMs: 120_000 })).stdout.trim()

before(async () => {
  await Lab.remove(name)
  lab = await Lab.up({ name, machines: 2 })
  await lab.installPackage(packageFile())
  await sh('n1', `install -d -o postgres -g postgres ${PLACES.join(' ')}`)
  await mustJoin(lab, 'n1', undefined, RATE)
  for (const [index, place] of PLACES.entries())
    await sqlAsPostgres(lab, 'n1', `create tablespace space${index} location '${place}'`)
  await sqlAsPostgres(
    lab,
    'n1',
    'create table placed tablespace space0 as select generate_series(1, 1000) as id',
  )
  await sqlAsPostgres(
    lab,
    'n1',
    `create table big as select id, repeat(md5(id::text), 40) as text from generate_series(1, 300000) as id`,
  )
})
after(() => Lab.remove(name))

/** Holds a copy of the primary still for longer than a silent machine is given, as a disk does that has too much to do. */
async function stallCopy(machine: string, seconds: number): Promise<void> {
  await waitFor(
    `${machine} copies the primary`,
    MEASURE_MS,
    async () =>
      (await lab.exec(machine, ['pkill', '-STOP', '-x', 'pg_basebackup'], { reject: false })).exitCode ===
        0 || null,
    50,
  )
  await sh(machine, `sleep ${seconds}; pkill -CONT -x pg_basebackup`)
}

test('a joining machine that lacks the directory of a tablespace is refused, and nothing is changed', async () => {
  const { exitCode, stderr } = await join(lab, 'n2', 'n1')
  assert.equal(exitCode, 78, stderr)
  assert.match(
    stderr,
    /tablespace space0 in \/srv\/ts, .*install -d -o postgres -g postgres -m 700 \/srv\/ts/,
  )
  assert.equal(stderr.trim().split('\n').length, 1, stderr)
})

test('a copy whose receiver stalls for 8 s goes on, with tablespaces, and tells how far it is', async () => {
  await sh('n2', `install -d -o postgres -g postgres ${PLACES.join(' ')}`)
  const joining = join(lab, 'n2', 'n1')
  await stallCopy('n2', 8)
  const { exitCode, stdout, stderr } = await joining
  assert.match(stdout, /copy the primary: .* of .*iB \(\d+ %\)/)
  assert.match(stdout, /copy the primary: done/, `${stdout}\n${stderr}`)
  // A step after it may take too long on a busy host.
  if (exitCode !== 0) await mustJoin(lab, 'n2', 'n1')
  assert.equal(await sqlAsPostgres(lab, 'n2', 'select count(*) from placed'), '1000')
  await untilHealthy(lab, 'n2')
})

const rejoinByHand = (machine: string, ...args: string[]) =>
  lab.exec(machine, ['understudy', 'rejoin', ...args], { reject: false, timeoutMs: 300_000 })

const DATA = '/var/lib/postgresql/17/main'
const isThere = async (machine: string, path: string): Promise<boolean> =>
  (await lab.exec(machine, ['test', '-e', path], { reject: false })).exitCode === 0

/** Which machine is which once all is in order: on a busy host the other one may have taken over. */
async function roles(): Promise<{ primary: string; standby: string }> {
  const primary = String((await untilHealthy(lab, 'n1')).primary)
  return { primary, standby: primary === 'n1' ? 'n2' : 'n1' }
}

test('a standby is replaced by hand by a copy of the primary, which is never replaced', async () => {
  const { primary, standby } = await roles()
  for (const [machine, args, code, says] of [
    [primary, ['--clone'], 78, /this machine is the primary/],
    [standby, [], 64, /give --clone/],
  ] as const) {
    const { exitCode, stderr } = await rejoinByHand(machine, ...args)
    assert.equal(exitCode, code, stderr)
    assert.match(stderr, says)
  }
  await sh(standby, `touch ${DATA}/old`)
  const { exitCode, stdout, stderr } = await rejoinByHand(standby, '--clone')
  assert.equal(exitCode, 0, `${stdout}\n${stderr}`)
  assert.match(stdout, new RegExp(`${primary}: .* of .*iB \\(\\d+ %\\)`))
  assert.equal(await sqlAsPostgres(lab, standby, 'select count(*) from placed'), '1000')
  assert.equal(await isThere(standby, `${DATA}/old`), false)
  for (const place of PLACES) assert.match(await sh(standby, `ls ${place}`), /^PG_17_\d+$/)
})

test('a copy that a power cut has ended is made again', async () => {
  const { standby } = await roles()
  await sh(standby, 'systemd-run --quiet understudy rejoin --clone')
  await waitFor(
    `${standby} copies the primary`,
    MEASURE_MS,
    async () =>
      (await lab.exec(standby, ['pgrep', '-x', 'pg_basebackup'], { reject: false })).exitCode === 0 || null,
    50,
  )
  await lab.poweroff(standby)
  await lab.poweron(standby)
  await waitFor(
    'the copy is in place',
    MEASURE_MS,
    async () => !(await isThere(standby, `${DATA}.unwanted`)) || null,
  )
  await roles()
  assert.equal(await sqlAsPostgres(lab, standby, 'select count(*) from placed'), '1000')
  for (const place of PLACES) assert.match(await sh(standby, `ls ${place}`), /^PG_17_\d+$/)
})

/** Waits until the status says so. */
const untilStatus = (says: RegExp): Promise<true> =>
  waitFor(`the status says ${says}`, 300_000, async () => {
    const { stdout } = await lab.exec('n1', ['understudy', 'status'], { reject: false })
    if (says.test(stdout)) return true as const
    throw new Error(stdout)
  })

test('a standby whose files are damaged is cloned anew by itself, and what it had is kept', async () => {
  const { primary, standby } = await roles()
  await sqlAsPostgres(lab, primary, 'drop table placed')
  for (const index of PLACES.keys()) await sqlAsPostgres(lab, primary, `drop tablespace space${index}`)
  await sh(standby, `systemctl stop postgresql@17-main; rm ${DATA}/global/pg_control; touch ${DATA}/damaged`)
  await sh(standby, 'systemctl start --no-block postgresql@17-main')
  await untilStatus(
    /PostgreSQL has failed to start \d times; after 5 failed starts this standby is cloned again/,
  )
  await waitFor(
    `${standby} is cloned anew`,
    300_000,
    async () => (await isThere(standby, `${DATA}.outgoing/damaged`)) || null,
  )
  await roles()
  assert.equal(await isThere(standby, `${DATA}/damaged`), false)
  const { stdout } = await lab.exec(standby, ['journalctl', '-t', 'understudy', '-o', 'cat', '--no-pager'])
  assert.equal(
    stdout.match(/"do":"clone","why":"PostgreSQL has failed to start \d times/g)?.length,
    1,
    stdout.split('\n').slice(-50).join('\n'),
  )
})

test('an error in pg_hba.conf is no damage: nothing is cloned, and PostgreSQL starts when it is corrected', async () => {
  const { standby } = await roles()
  const hba = '/etc/postgresql/17/main/pg_hba.conf'
  await sh(standby, `cp -a ${hba} /var/tmp/; echo nonsense >>${hba}; touch ${DATA}/whole`)
  await sh(standby, 'systemctl kill -s KILL postgresql@17-main')
  await untilStatus(/PostgreSQL does not start: could not load .*pg_hba\.conf/)
  await sh(standby, `cp -a /var/tmp/pg_hba.conf ${hba}`)
  await roles()
  assert.equal(await isThere(standby, `${DATA}/whole`), true)
})

test('data that is moved after the join does not start as a second primary, and nothing is copied', async () => {
  const { primary } = await roles()
  const config = '/etc/postgresql/17/main/postgresql.conf'
  const move = (from: string, to: string) =>
    sh(
      primary,
      `systemctl stop postgresql@17-main; mv ${from} ${to}; sed -i "s|^data_directory.*|data_directory = '${to}'|" ${config}
       systemctl start --no-block postgresql@17-main`,
    )
  await move(DATA, '/srv/pgdata')
  await untilStatus(/data_directory of PostgreSQL is \/srv\/pgdata/)
  assert.equal(await isThere(primary, DATA), false)
  assert.equal(await isThere(primary, '/srv/pgdata/postmaster.pid'), false)
  await move('/srv/pgdata', DATA)
  await roles()
})
