/** Copies of the primary: of large databases over slow disks, with tablespaces, and in the place of damaged files. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { addressOf, join, mustJoin, packageFile, sqlAsPostgres, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'

const name = 'copies'
const PLACES = ['/srv/ts', '/srv/other'] as const
const MEASURE_MS = 120_000
let lab: Lab

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-c', script], { timeoutMs: 120_000 })).stdout.trim()

before(async () => {
  await Lab.remove(name)
  lab = await Lab.up({ name, machines: 2 })
  await lab.installPackage(packageFile())
  await sh('n1', `install -d -o postgres -g postgres ${PLACES.join(' ')}`)
  await mustJoin(lab, 'n1')
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
  assert.equal(exitCode, 0, `${stdout}\n${stderr}`)
  assert.match(stdout, /copy the primary: .* of .*iB \(\d+ %\)/)
  assert.equal(await sqlAsPostgres(lab, 'n2', 'select count(*) from placed'), '1000')
  await untilHealthy(lab, 'n2')
  assert.equal(addressOf(lab, 'n1'), '10.77.0.11')
})
