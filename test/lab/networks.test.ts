/** Networks as machines have them: netmasks of /32 and /28, a network that drops multicast, no name server, flushed firewalls. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  appPassword,
  holdersOf,
  mustJoin,
  packageFile,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
  untilWritable,
} from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { CREATE_TABLE } from './lib/writer.ts'

const name = 'networks'
let lab: Lab
let password = ''

before(async () => {
  await Lab.remove(name)
  lab = await Lab.up({ name, machines: 3, log: console.log })
  await lab.installPackage(packageFile())
})
after(() => Lab.remove(name))

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 60_000 })).stdout.trim()

/** Gives a machine its address with another netmask, as clouds do, and a route to the others. */
const remask = (machine: string, address: string, prefix: number): Promise<string> =>
  sh(
    machine,
    `ip address del ${address}/24 dev eth0
     ip address add ${address}/${prefix} dev eth0
     ip route add 10.77.0.0/24 dev eth0 src ${address}`,
  )

test('members with /32 and /28, and without a name server, join and fail over', async () => {
  await remask('n2', '10.77.0.12', 32)
  await remask('n3', '10.77.0.13', 28)
  for (const machine of ['n1', 'n2', 'n3'])
    await sh(machine, 'echo nameserver 192.0.2.1 >/etc/resolv.conf; echo "127.0.0.1 localhost" >/etc/hosts')
  await mustJoin(lab, 'n1')
  await mustJoin(lab, 'n2', 'n1')
  await mustJoin(lab, 'n3', 'n1')
  for (const machine of ['n1', 'n2', 'n3']) await untilHealthy(lab, machine)
  password = await appPassword(lab, 'n1')
  await sqlThroughVirtualIp(lab, password, CREATE_TABLE)

  // A firewall that somebody flushes takes nothing of ours with it, and neither do addresses that are added.
  for (const machine of ['n1', 'n2', 'n3'])
    await sh(
      machine,
      'nft flush ruleset; ip address add 10.77.0.2$(hostname | tr -d n)/24 dev eth0 label eth0:1; ip address add fd77::1$(hostname | tr -d n)/64 dev eth0',
    )
  await sqlThroughVirtualIp(lab, password, 'insert into written (value) values (1)')
  await mustJoin(lab, 'n2', 'n1')
  await untilHealthy(lab, 'n2', 30_000)

  await lab.poweroff('n1')
  await untilWritable(lab, password, 60_000)
  const { primary } = await statusFrom(lab, 'n2')
  assert.ok(primary === 'n2' || primary === 'n3', `the primary is ${String(primary)}`)
  assert.deepEqual(await holdersOf(lab, ['n2', 'n3']), [primary])
})
