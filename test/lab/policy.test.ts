/** The same on Debian 12, whose parts are older, with the virtual IP at its fixed place (promise S7). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import {
  addressOf,
  appPassword,
  holdersOf,
  poolerTarget,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
  untilWritable,
} from './lib/cluster.ts'
import { files, put, RESOURCES, textOf, untilInSync } from './lib/files.ts'
import { upJoined } from './lib/joined.ts'
import { Lab } from './lib/lab.ts'
import { CREATE_TABLE } from './lib/writer.ts'

const name = 'policy'
const all = ['n1', 'n2', 'n3']
const APP = { database: 'manager', user: 'manager' }
let lab: Lab

before(async () => {
  const join = ['--policy', 'fixed', '--database', APP.database, '--user', APP.user]
  lab = await upJoined({ name, suite: 'bookworm', join, log: console.log })
})
after(() => Lab.remove(name))

const sql = (password: string, text: string): Promise<string> =>
  sqlThroughVirtualIp(lab, password, text, { app: APP })

const untilHolder = (machine: string): Promise<true> =>
  waitFor(
    `the virtual IP is on ${machine} alone`,
    20_000,
    async () => (await holdersOf(lab, all)).join() === machine || null,
  )

test('the virtual IP stays by priority: it leaves with its machine, and comes back with it, not with the primary', async () => {
  await untilHealthy(lab, 'n1')
  const password = await appPassword(lab, 'n1')
  // Another machine may have booted first: n1 takes the address back once preempt_delay is over.
  await untilHolder('n1')
  await sql(password, CREATE_TABLE)
  await sql(password, 'insert into written (value) values (1)')

  await lab.poweroff('n1')
  await waitFor('the virtual IP is on the next by priority', 20_000, async () => {
    const holders = await holdersOf(lab, ['n2', 'n3'])
    return holders.length === 1 || null
  })
  const row = await untilWritable(lab, password, 60_000, APP)
  const primary = (await statusFrom(lab, 'n2')).primary
  assert.ok(primary === 'n2' || primary === 'n3', `the primary is ${String(primary)}`)

  await lab.poweron('n1')
  const status = await untilHealthy(lab, 'n1')
  assert.equal(status.primary, primary)
  await untilHolder('n1')
  // n1 has the address, another the database: its PgBouncer passes on.
  for (const machine of all)
    assert.equal(await poolerTarget(lab, machine, 'manager'), addressOf(lab, primary))
  assert.equal(await sql(password, `select count(*) from written where value in (1, ${row})`), '2')
})

test('files are replicated with Syncthing 1.19 as well, and an upload is confirmed', async () => {
  await untilInSync(lab, all)
  await lab.exec('n2', ['sh', '-euc', `mkdir ${RESOURCES}/own; chown www-data:www-data ${RESOURCES}/own`])
  await put(lab, 'n2', `${RESOURCES}/own/upload`, 'uploaded\n', ['--min-copies', 'all'])
  for (const machine of all) {
    assert.equal(await textOf(lab, machine, `${RESOURCES}/own/upload`), 'uploaded')
    const { stdout } = await lab.exec(machine, ['stat', '-c', '%a', `${RESOURCES}/own/upload`])
    assert.equal(stdout.trim(), '644')
  }
  await lab.cut('n3')
  const { exitCode, stderr } = await files(lab, 'n2', [
    ...['put', '/etc/hostname', `${RESOURCES}/own/`, '--min-copies', 'all', '--timeout', '3'],
  ])
  assert.equal(exitCode, 75)
  assert.match(stderr, /1 of 2 copies: n3 .*own\/hostname/)
  await lab.heal('n3')
  await untilInSync(lab, all)
  assert.equal(await textOf(lab, 'n3', `${RESOURCES}/own/hostname`), 'n2')
  await untilHealthy(lab, 'n1')
})
