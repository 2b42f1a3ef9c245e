/** A service that gives way where the virtual IP stays by priority: the address moves, the database stays. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '../../lib/core/wait.ts'
import { servicesPaths } from '../../lib/services/manifest.ts'
import { holdersOf, statusFrom, untilHealthy } from './lib/cluster.ts'
import { upJoined } from './lib/joined.ts'
import { Lab } from './lib/lab.ts'

const name = 'services-fixed'
const all = ['n1', 'n2', 'n3']
let lab: Lab

before(async () => {
  lab = await upJoined({ name, join: ['--policy', 'fixed'], log: console.log })
})
after(() => Lab.remove(name))

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 60_000 })).stdout.trim()
const untilHolder = (machine: string, machines = all): Promise<true> =>
  waitFor(
    `the virtual IP is on ${machine} alone`,
    120_000,
    async () => (await holdersOf(lab, machines)).join() === machine || null,
  )
const untilRuns = (machine: string, machines = all): Promise<boolean> =>
  waitFor(`the service runs on ${machine} alone`, 60_000, async () => {
    const states = await Promise.all(machines.map((one) => sh(one, 'systemctl is-active rest || true')))
    const found = machines.filter((_one, index) => states[index] === 'active').join()
    if (found === machine) return true
    throw new Error(found)
  })

test('the service follows the address; where it fails, the address moves once and does not come back', async () => {
  await untilHolder('n1')
  for (const machine of all) {
    await lab.exec(
      machine,
      ['sh', '-euc', 'cat >/etc/systemd/system/rest.service; systemctl daemon-reload'],
      {
        input: '[Service]\nExecStart=/usr/bin/sleep infinity\n',
      },
    )
  }
  const add = 'understudy services add rest --unit rest --run active --gives-way'
  await sh('n1', `${add} --check 'test ! -e /srv/broken'`)
  await untilRuns('n1')
  await waitFor('its check passes', 60_000, async () => (await statusFrom(lab, 'n1')).healthy || null)
  const { primary } = await untilHealthy(lab, 'n1')

  await sh('n1', `touch --date='5 minutes ago' ${servicesPaths.active}; touch /srv/broken`)
  await untilHolder('n2')
  await untilRuns('n2')
  await sh('n1', 'rm /srv/broken')
  await pause(30_000)
  assert.deepEqual(await holdersOf(lab, all), ['n2'])
  assert.equal((await untilHealthy(lab, 'n2')).primary, primary)

  // It fails on all of them: the address stays on one.
  for (const machine of all) await sh(machine, 'touch /srv/broken')
  await sh('n2', `touch --date='5 minutes ago' ${servicesPaths.active}`)
  await pause(45_000)
  assert.deepEqual(await holdersOf(lab, all), ['n2'])
  for (const machine of all) await sh(machine, 'rm /srv/broken')

  // The machine that has given way takes the address if it must.
  await lab.poweroff('n2')
  await waitFor('another machine has it', 60_000, async () =>
    (await holdersOf(lab, ['n1', 'n3'])).length === 1 ? true : null,
  )
  const [holder = ''] = await holdersOf(lab, ['n1', 'n3'])
  await untilRuns(holder, ['n1', 'n3'])
  await lab.poweron('n2')
  await untilHealthy(lab, 'n1')
  await untilHolder('n2')
  await untilRuns('n2')
})
