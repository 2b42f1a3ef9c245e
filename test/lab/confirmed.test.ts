/** What was confirmed leads: data that went back in time does not, and what only uses a member's name confirms nothing. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { addressOf, primaryAndStandbys, sqlAsPostgres, statusFrom } from './lib/cluster.ts'
import { run } from './lib/host.ts'
import type { Lab } from './lib/lab.ts'
import { untilOff } from './lib/machine.ts'
import { ownCluster } from './lib/own-cluster.ts'
import { machineDir } from './lib/state.ts'
import { type Acknowledged, Writer } from './lib/writer.ts'

const name = 'confirmed'
const all = ['n1', 'n2', 'n3'] as const
let lab: Lab
let password: string

ownCluster(name, (own, ownPassword) => {
  lab = own
  password = ownPassword
})

const imageOf = (machine: string): string => join(machineDir(name, machine), 'data.img')

/** A power cut of all machines. Returns when their disks are let go. */
async function allOff(): Promise<void> {
  await Promise.all(all.map((machine) => lab.poweroff(machine)))
  await Promise.all(all.map((machine) => untilOff(name, machine, 30_000)))
  for (const machine of all)
    await waitFor(
      'the disk is let go',
      30_000,
      async () => (await run(['losetup', '--noheadings', '--associated', imageOf(machine)])) === '' || null,
    )
}

const copy = (from: string, to: string): Promise<string> => run(['cp', '--sparse=always', from, to])

/** Rows of a client, until there are so many. */
async function write(from: number, count: number): Promise<readonly Acknowledged[]> {
  const writer = await Writer.start(lab, password, from)
  await waitFor(`${count} writes`, 30_000, async () => writer.acknowledged.length >= count || null)
  await writer.stop()
  return writer.acknowledged
}

async function missingOf(rows: readonly Acknowledged[], machine: string): Promise<number> {
  const values = rows.map(({ value }) => value).join(',')
  const found = await sqlAsPostgres(lab, machine, `select count(*) from written where value in (${values})`)
  return rows.length - Number(found)
}

const primaryOf = async (machine: string): Promise<string> => (await primaryAndStandbys(lab, machine)).primary
const others = (machine: string): string[] => all.filter((one) => one !== machine)

/** What Consul has recorded of how far commits are confirmed. */
async function confirmedOn(machine: string): Promise<string> {
  const { stdout } = await lab.exec(machine, ['consul', 'kv', 'get', 'understudy/postgresql/confirmed'], {
    reject: false,
  })
  return (JSON.parse(stdout || '{"lsn":"0/0"}') as { lsn: string }).lsn
}

test('the data of the primary went back in time while all was off: another one leads, and nothing is lost', async (t) => {
  if (!existsSync(imageOf('n1'))) return t.skip('the machines have no disks of their own here')
  const before = await write(0, 100)
  await allOff()
  for (const machine of all) await copy(imageOf(machine), `${imageOf(machine)}.older`)
  await Promise.all(all.map((machine) => lab.poweron(machine)))
  const old = await primaryOf('n1')
  const [one, other] = others(old) as [string, string]
  const later = await write(100_000, 100)
  const written = await sqlAsPostgres(lab, old, 'select pg_current_wal_lsn()')
  await waitFor(
    'Consul knows that it is confirmed',
    40_000,
    async () =>
      (await sqlAsPostgres(
        lab,
        old,
        `select '${await confirmedOn(old)}'::pg_lsn >= '${written}'::pg_lsn`,
      )) === 't' || null,
  )
  await allOff()
  await copy(`${imageOf(old)}.older`, imageOf(old))

  // The old one first: the others would not wait for it.
  const booted = lab.poweron(old)
  await waitFor(
    `${old} runs`,
    30_000,
    async () =>
      (await lab.exec(old, ['systemctl', 'is-active', 'consul'], { reject: false })).stdout === 'active' ||
      null,
  )
  await Promise.all([lab.poweron(one), lab.poweron(other), booted])
  const primary = await primaryOf(one)
  console.log(`${old} had older data; ${primary} leads`)
  assert.notEqual(primary, old)
  for (const machine of all)
    await waitFor(
      `${machine} has all rows`,
      20_000,
      async () => (await missingOf([...before, ...later], machine)) === 0 || null,
    )
})

test('something streams under the name of a standby that is down: nothing that it confirms is lost, and it is named', async () => {
  const primary = await primaryOf('n1')
  const [standby, cut] = others(primary) as [string, string]
  const borrow = `exec pg_receivewal --synchronous -D /var/tmp -d "$(psql -XAtc 'show primary_conninfo')"`
  const postgres = (script: string): string[] => ['runuser', '-u', 'postgres', '--', 'sh', '-c', script]
  await lab.exec(standby, ['systemd-run', '--unit=borrower', ...postgres(borrow)])
  const named = `something at ${addressOf(lab, standby)} streams as ${standby} without its slot`
  await waitFor(
    'the status names it',
    60_000,
    async () => (await statusFrom(lab, primary)).problems.some((problem) => problem.includes(named)) || null,
  )
  const { stdout } = await lab.exec(standby, ['pg_lsclusters', '--no-header'])
  const [version] = stdout.split(/\s+/)
  await lab.exec(standby, ['systemctl', 'stop', `postgresql@${version}-main`])
  await lab.block({ between: [primary as 'n1', cut as 'n3'], ports: [5432] })
  // Nobody streams any more but the stranger, which comes back whenever it is ended: the primary goes on alone.
  const writer = await Writer.start(lab, password, 200_000)
  await waitFor('the primary goes on alone', 60_000, async () => {
    const rule = await sqlAsPostgres(lab, primary, 'show synchronous_standby_names')
    return rule === '' || null
  })
  const count = writer.acknowledged.length
  await waitFor('100 more writes', 30_000, async () => writer.acknowledged.length >= count + 100 || null)
  await lab.poweroff(primary)
  await writer.stop()
  await lab.exec(standby, ['systemctl', 'stop', 'borrower'], { reject: false })
  await lab.unblock()
  await lab.exec(standby, ['systemctl', 'start', `postgresql@${version}-main`])
  await lab.poweron(primary)
  const leads = await primaryOf(standby)
  console.log(`${primary} went on alone; ${leads} leads; acknowledged ${writer.acknowledged.length}`)
  assert.equal(await missingOf(writer.acknowledged, leads), 0)
})
