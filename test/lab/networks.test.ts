/**
 * Networks as machines have them: netmasks of /32 and /28, a network that drops multicast and has another speaker of VRRP, no name
 * server, flushed firewalls.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import {
  appPassword,
  holdersOf,
  joinInTime,
  sqlThroughVirtualIp,
  untilHealthy,
  untilPrimary,
  untilWritable,
} from './lib/cluster.ts'
import { run } from './lib/host.ts'
import type { Lab } from './lib/lab.ts'
import { namespacePath, switchNamespace } from './lib/network.ts'
import { ownMachines } from './lib/own-cluster.ts'
import { CREATE_TABLE } from './lib/writer.ts'

const name = 'networks'
const all = ['n1', 'n2', 'n3']
let lab: Lab
let password = ''

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 60_000 })).stdout.trim()
const onAll = (script: string, machines = all): Promise<string[]> =>
  Promise.all(machines.map((machine) => sh(machine, script)))

ownMachines(name, (own) => {
  lab = own
})

/** Gives a machine its address with another netmask, as clouds do, and a route to the others. */
const remask = (machine: string, address: string, prefix: number): Promise<string> =>
  sh(
    machine,
    `ip address del ${address}/24 dev eth0
     ip address add ${address}/${prefix} dev eth0
     ip route add 10.77.0.0/24 dev eth0 src ${address}`,
  )

test('members join and fail over', async () => {
  const drop = `add table bridge networks
    add chain bridge networks forward { type filter hook forward priority 0; policy accept; }
    add rule bridge networks forward ip daddr 224.0.0.18 drop\n`
  await run(['nsenter', `--net=${namespacePath(switchNamespace(lab.name))}`, 'nft', '-f', '-'], drop)
  await remask('n2', '10.77.0.12', 32)
  await remask('n3', '10.77.0.13', 28)
  await onAll('echo nameserver 192.0.2.1 >/etc/resolv.conf; echo "127.0.0.1 localhost" >/etc/hosts')
  await joinInTime(lab, 'n1')
  await joinInTime(lab, 'n2', 'n1')
  await joinInTime(lab, 'n3', 'n1')
  for (const machine of all) await untilHealthy(lab, machine)
  password = await appPassword(lab, 'n1')
  await sqlThroughVirtualIp(lab, password, CREATE_TABLE)
})

test('keepalived knows the other members, and a member that joins takes the address from nobody', async () => {
  for (const [machine, others] of [
    ['n1', ['10.77.0.12', '10.77.0.13']],
    ['n2', ['10.77.0.11', '10.77.0.13']],
    ['n3', ['10.77.0.11', '10.77.0.12']],
  ] as const) {
    const config = await sh(machine, 'cat /etc/keepalived/keepalived.conf')
    assert.deepEqual(
      config
        .match(/unicast_peer \{([^}]*)\}/)?.[1]
        ?.trim()
        .split(/\s+/),
      others,
    )
    assert.equal(await sh(machine, 'stat -c "%U %a" /etc/keepalived/keepalived.conf'), 'root 644')
  }
  // n1 was told of n2 and of n3 while it held the address.
  const log = await sh('n1', 'journalctl --no-pager --output=cat --unit=keepalived')
  assert.equal(log.match(/Entering MASTER STATE/g)?.length, 1, log)
})

test('another speaker of VRRP with the same id, a flushed firewall and more addresses change nothing', async () => {
  await run(['nsenter', `--net=${namespacePath(switchNamespace(lab.name))}`, 'nft', 'flush', 'ruleset'])
  // A router of somebody else, which sends to everybody.
  const rival = `vrrp_instance rival {
      state MASTER
      interface eth0
      virtual_router_id 100
      priority 254
      advert_int 1
      virtual_ipaddress { 10.77.0.99/24 }
    }
`
  await lab.exec('n3', ['sh', '-euc', 'cat >/etc/rival.conf'], { input: rival })
  await sh(
    'n3',
    'systemd-run --unit=rival --quiet keepalived -n -f /etc/rival.conf -p /run/rival.pid -r /run/rival-vrrp.pid',
  )
  await waitFor(
    'the rival speaks',
    30_000,
    async () => (await holdersOf(lab, ['n3'], '10.77.0.99')).length === 1 || null,
  )
  await onAll(
    `nft flush ruleset
     number=$(hostname | tr -d n)
     ip address add 10.77.0.2$number/24 dev eth0 label eth0:1
     ip address add fd77::1$number/64 dev eth0`,
  )
  await joinInTime(lab, 'n2', 'n1')
  await untilHealthy(lab, 'n2')
  assert.deepEqual(await holdersOf(lab, all), ['n1'])
  await sqlThroughVirtualIp(lab, password, 'insert into written (value) values (1)')
})

test('the primary loses its power', async () => {
  await lab.poweroff('n1')
  await untilWritable(lab, password, 60_000)
  const primary = await untilPrimary(lab, 'n2')
  assert.ok(primary === 'n2' || primary === 'n3', primary)
  assert.deepEqual(await holdersOf(lab, ['n2', 'n3']), [primary])
})
