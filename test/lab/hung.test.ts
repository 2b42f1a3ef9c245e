/** A cluster of three whose disks and daemons hang instead of dying. Promises S3 and S7. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN } from '../../lib/core/unknown.ts'
import { waitFor } from '../../lib/core/wait.ts'
import { AGENT_AWAY_MS } from '../../lib/postgresql/decide-failover.ts'
import { holdersOf, sqlThroughVirtualIp, untilHealthy } from './lib/cluster.ts'
import type { Lab } from './lib/lab.ts'
import { ownCluster } from './lib/own-cluster.ts'
import { Writer } from './lib/writer.ts'

const name = 'hung'
const all = ['n1', 'n2', 'n3']
let lab: Lab
let password: string
let rows = 0

ownCluster(name, (own, ownPassword) => {
  lab = own
  password = ownPassword
})

async function primaryNow(): Promise<string> {
  const { primary } = await untilHealthy(lab, 'n1')
  assert.ok(primary !== UNKNOWN && primary !== null)
  return primary
}

const sh = (machine: string, script: string) => lab.exec(machine, ['sh', '-euc', script], { reject: false })

/** Lets a client write all through a fault. @returns how long after it the first write of the new life was acknowledged, in ms. */
async function outageOf(
  fault: () => Promise<unknown>,
  timeoutMs: number,
  settledMs = 1000,
): Promise<{ outageMs: number; lost: number }> {
  rows += 1_000_000
  const writer = await Writer.start(lab, password, rows)
  await fault()
  const injectedAt = Date.now()
  // A write of before may still be on its way.
  const { at } = await writer.untilWritten(injectedAt + settledMs, timeoutMs)
  await writer.stop()
  const values = writer.acknowledged.map(({ value }) => value)
  const found = `select count(*) from written where value in (${values.join(',')})`
  const lost = values.length - Number(await sqlThroughVirtualIp(lab, password, found))
  return { outageMs: at - injectedAt, lost }
}

const untilMoved = (from: string, timeoutMs: number): Promise<string> =>
  waitFor(`the virtual IP has left ${from}`, timeoutMs, async () => {
    const holders = await holdersOf(lab, all)
    return holders.length === 1 && holders[0] !== from ? (holders[0] as string) : null
  })

// Where both are stopped, no start gate runs.
for (const fault of [
  'systemctl stop consul; systemctl kill --signal=KILL postgresql@17-main',
  'systemctl stop consul; systemctl stop postgresql@17-main',
  'systemctl stop postgresql@17-main; systemctl stop consul',
])
  test(`database and Consul agent of the primary go down together: the virtual IP leaves without Consul (${fault})`, async () => {
    const primary = await primaryNow()
    const { outageMs, lost } = await outageOf(() => sh(primary, fault), 60_000)
    console.log(`${fault}: written after ${outageMs} ms`)
    assert.ok(outageMs < 15_000, `${outageMs} ms`)
    assert.equal(lost, 0)
    await untilMoved(primary, 1000)
    await sh(primary, 'systemctl start consul; systemctl start postgresql@17-main')
    await untilHealthy(lab, 'n1')
  })

test('the agent and repmgrd of the primary are away: the watchdog has the machine fenced when its standbys have left', async () => {
  const primary = await primaryNow()
  await sh(primary, 'systemctl stop understudy-repmgrd consul')
  // Its standbys stay with it while its agent may just be starting again.
  await waitFor('the machine is fenced', AGENT_AWAY_MS + 60_000, async () => {
    const { stdout } = await sh(
      primary,
      'ls /run/understudy/database; systemctl is-active postgresql@17-main',
    )
    return (/^fenced$/m.test(stdout) && /^(inactive|failed)$/m.test(stdout)) || null
  })
  await untilMoved(primary, 20_000)
  await lab.exec(primary, ['systemctl', 'start', 'consul', 'understudy-repmgrd'])
  await untilHealthy(lab, 'n1')
})

test('daemons of the active machine hang: clients write again within 60 s, and each is started again', async () => {
  const primary = await primaryNow()
  const units = ['pgbouncer', 'keepalived', 'understudy-syncthing', 'understudy-repmgrd']
  const pids = async () =>
    (await sh(primary, `systemctl show --property=MainPID --value ${units.join(' ')}`)).stdout
      .trim()
      .split(/\n+/)
  const before = await pids()
  const { outageMs, lost } = await outageOf(
    () => sh(primary, units.map((unit) => `systemctl kill --signal=STOP ${unit}`).join('\n')),
    60_000,
    100,
  )
  console.log(`daemons stopped: written after ${outageMs} ms`)
  assert.equal(lost, 0)
  await waitFor('each daemon is a new process', 60_000, async () => {
    const now = await pids()
    const old = units.filter((_unit, index) => now[index] === before[index] || now[index] === '0')
    if (old.length > 0) throw new Error(`still the same: ${old}`)
    return true
  })
  await untilHealthy(lab, 'n1')
  assert.deepEqual(await holdersOf(lab, all), [primary])
})

test('the disk of the primary hangs: another machine takes over', async () => {
  const primary = await primaryNow()
  try {
    const { outageMs, lost } = await outageOf(() => lab.hangDisk(primary), 90_000, 100)
    console.log(`disk frozen: written after ${outageMs} ms`)
    assert.equal(lost, 0)
    await untilMoved(primary, 10_000)
  } finally {
    await lab.resumeDisk(primary)
  }
  await untilHealthy(lab, 'n1')
})
