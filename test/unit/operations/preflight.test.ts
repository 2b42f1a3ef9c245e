import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as v from 'valibot'
import type { FirstOptions, MachineFacts } from '../../../lib/consul/joining.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import * as preflight from '../../../lib/operations/preflight.ts'
import { settings } from '../support/settings.ts'

const BUILT = Date.UTC(2026, 0, 1)
const machine: MachineFacts = {
  root: true,
  node: 'n1',
  machineId: 'x',
  devices: [
    { name: 'eth0', address: '192.0.2.5', prefix: 24 },
    { name: 'eth1', address: '10.77.0.11', prefix: 24 },
  ],
  missing: [],
  settings: null,
  nowMs: BUILT + 1,
}
const { checkAddresses, checkFirst, checkMachine } = preflight
const placeMachine = (
  facts: MachineFacts,
  cluster: string | preflight.Networks,
  named: string | undefined,
  source: string | null = null,
) =>
  preflight.placeMachine(facts, typeof cluster === 'string' ? { virtualIp: cluster } : cluster, named, source)
const refused = (exitCode: number, message: RegExp) => ({ name: 'UnderstudyError', exitCode, message })

describe('join: what a machine must have', () => {
  test('a plain machine with all packages', () => checkMachine(machine, BUILT))
  test('one that was made at this very moment', () => checkMachine({ ...machine, nowMs: BUILT }, BUILT))

  test('of several things that are wrong the first to be put right is named', () => {
    const wrong = { ...machine, missing: ['postgresql'], node: '', nowMs: BUILT - 1 }
    assert.throws(() => checkMachine({ ...wrong, root: false }, BUILT), refused(78, /needs root/))
    assert.throws(() => checkMachine(wrong, BUILT), refused(78, /missing: postgresql;/))
  })

  test('takes exactly the host names that can be members in Consul', () => {
    const character = fc.constantFrom('a', 'z', '0', '9', '-', 'A', '_', '.', ' ', '\n', 'ä')
    const usual = fc.constantFrom('a', '0', '-')
    const name = fc.oneof(
      fc.string({ unit: character, maxLength: 5 }),
      fc.string({ unit: usual, minLength: 60, maxLength: 66 }),
    )
    const document = { schema: 1, address: '10.77.0.11', port: 5432, timeline: 1, epoch: 1 }
    const check = (node: string): void => {
      const taken = v.is(consulKeys.primary.schema, { ...document, node })
      const join = (): void => checkMachine({ ...machine, node }, BUILT)
      if (taken) join()
      else assert.throws(join, refused(78, /host name/))
    }
    fc.assert(fc.property(name, check), { numRuns: 1000 })
  })

  const bad: readonly (readonly [caption: string, difference: Partial<MachineFacts>, message: RegExp])[] = [
    ['not root', { root: false }, /needs root/],
    [
      'packages are missing',
      { missing: ['repmgr', 'consul'] },
      /missing: repmgr, consul; install them first \(apt install repmgr consul\)/,
    ],
    ['a host name that cannot be a key', { node: 'My_Host' }, /host name "My_Host"/],
    ['no host name', { node: '' }, /host name ""/],
    ['the clock is before the build', { nowMs: BUILT - 1 }, /the clock says 2025-12-31/],
  ]
  for (const [caption, difference, message] of bad) {
    test(`refused: ${caption}`, () =>
      assert.throws(() => checkMachine({ ...machine, ...difference }, BUILT), refused(78, message)))
  }
})

describe('join: where a machine is', () => {
  const place = { interface: 'eth1', address: '10.77.0.11', network: '10.77.0.0/24' }

  test('on the interface in the network of the virtual IP', () =>
    assert.deepEqual(placeMachine(machine, '10.77.0.100/24', undefined), place))
  test('on the interface that was named', () =>
    assert.deepEqual(placeMachine(machine, '10.77.0.100/24', 'eth1'), place))
  test('a virtual IP that is here already is not the address of the machine', () => {
    const devices = [{ name: 'eth1', address: '10.77.0.100', prefix: 24 }, ...machine.devices]
    assert.deepEqual(placeMachine({ ...machine, devices }, '10.77.0.100/24', undefined), place)
  })

  test('on the address in that network, where an interface has several', () => {
    const devices = [{ name: 'eth1', address: '10.9.0.1', prefix: 8 }, ...machine.devices]
    assert.deepEqual(placeMachine({ ...machine, devices }, '10.77.0.100/24', 'eth1'), place)
  })
  test('on the first of two interfaces in that network', () => {
    const devices = [...machine.devices, { name: 'eth2', address: '10.77.0.12', prefix: 24 }]
    assert.equal(placeMachine({ ...machine, devices }, '10.77.0.100/24', undefined).interface, 'eth1')
    assert.equal(placeMachine({ ...machine, devices }, '10.77.0.100/24', 'eth2').interface, 'eth2')
  })
  for (const [prefix, network] of [
    [16, '10.77.0.0/16'],
    [24, '10.77.0.0/24'],
    [28, '10.77.0.0/24'],
    [32, '10.77.0.0/24'],
  ] as const)
    test(`the network is as wide as the wider of interface and virtual IP: /${prefix}`, () => {
      const devices = [{ name: 'eth1', address: '10.77.0.11', prefix }]
      assert.equal(placeMachine({ ...machine, devices }, '10.77.0.100/24', undefined).network, network)
    })
  test('on the address that the other members will see', () => {
    const devices = [...machine.devices, { name: 'eth1', address: '10.77.0.61', prefix: 24 }]
    const { address } = placeMachine({ ...machine, devices }, '10.77.0.100/24', undefined, '10.77.0.61')
    assert.equal(address, '10.77.0.61')
  })
  test('a member keeps its address', () => {
    const devices = [{ name: 'eth1', address: '10.77.0.61', prefix: 24 }, ...machine.devices]
    const { address } = placeMachine(
      { ...machine, devices, settings },
      '10.77.0.100/24',
      undefined,
      '10.77.0.61',
    )
    assert.equal(address, '10.77.0.11')
  })
  test('refused: the other members would see another address', () =>
    assert.throws(
      () => placeMachine(machine, '10.77.0.100/24', undefined, '192.0.2.5'),
      refused(
        78,
        /from 192\.0\.2\.5, but they would know it by 10\.77\.0\.11; .*\(ip route \.\.\. src 10\.77\.0\.11\)/,
      ),
    ))
  test('a machine that has the virtual IP itself reaches it from there', () =>
    assert.deepEqual(placeMachine(machine, '10.77.0.100/24', undefined, '10.77.0.100'), place))
  test('refused: the only address in that network is the virtual IP itself', () => {
    const devices = [{ name: 'eth1', address: '10.77.0.100', prefix: 24 }]
    const join = () => placeMachine({ ...machine, devices }, '10.77.0.100/24', undefined)
    assert.throws(join, refused(64, /no address of this machine/))
  })
  test('refused: a machine without any address', () =>
    assert.throws(
      () => placeMachine({ ...machine, devices: [] }, '10.77.0.100/24', undefined),
      refused(64, /\(interfaces with an IPv4 address: none\)/),
    ))

  const bad: readonly (readonly [
    caption: string,
    virtualIp: string,
    named: string | undefined,
    message: RegExp,
  ])[] = [
    [
      'an interface that is not there',
      '10.77.0.100/24',
      'eth9',
      /no interface eth9 .*; this machine has eth0, eth1/,
    ],
    ['an interface in another network', '10.77.0.100/24', 'eth0', /no address of eth0 is in the network/],
    [
      'no interface in that network',
      '10.78.0.100/24',
      undefined,
      /no address of this machine is in the network/,
    ],
  ]
  for (const [caption, virtualIp, named, message] of bad) {
    test(`refused: ${caption}`, () =>
      assert.throws(() => placeMachine(machine, virtualIp, named), refused(64, message)))
  }
})

describe('join: members and clients in networks apart', () => {
  const network = '10.77.0.0/24'

  test('the virtual IP is on the interface in its network', () =>
    assert.deepEqual(placeMachine(machine, { virtualIp: '192.0.2.100/24', network }, undefined), {
      interface: 'eth0',
      address: '10.77.0.11',
      network,
    }))
  test('or on the one that was named', () => {
    const devices = [...machine.devices, { name: 'eth2', address: '198.51.100.5', prefix: 24 }]
    const { interface: device, address } = placeMachine(
      { ...machine, devices },
      { virtualIp: '203.0.113.100/32', network },
      'eth2',
    )
    assert.deepEqual([device, address], ['eth2', '10.77.0.11'])
  })
  test("one of a single address in the members' network is on their interface", () =>
    assert.equal(
      placeMachine(machine, { virtualIp: '10.77.0.100/32', network }, undefined).interface,
      'eth1',
    ))
  test('refused: no interface is in its network, and none was named', () =>
    assert.throws(
      () => placeMachine(machine, { virtualIp: '203.0.113.100/24', network }, undefined),
      refused(64, /203\.0\.113\.100\/24; name the interface that is to carry it with --interface$/),
    ))
  test("refused: no address is in the members' network", () =>
    assert.throws(
      () => placeMachine(machine, { virtualIp: '192.0.2.100/24', network: '10.78.0.0/24' }, undefined),
      refused(64, /no address of this machine is in the members' network 10\.78\.0\.0\/24/),
    ))
})

describe('join: a cluster without a virtual IP', () => {
  const none = { virtualIp: null }
  const only = (prefix: number) => ({
    ...machine,
    devices: [{ name: 'eth1', address: '10.77.0.11', prefix }],
  })

  test('a machine with one address', () =>
    assert.deepEqual(placeMachine(only(24), none, undefined), {
      interface: 'eth1',
      address: '10.77.0.11',
      network: '10.77.0.0/24',
    }))
  test('the interface that was named, where there are more', () =>
    assert.equal(placeMachine(machine, none, 'eth1').address, '10.77.0.11'))
  test('a machine with a netmask of /32 in the network that was named', () =>
    assert.equal(
      placeMachine(only(32), { ...none, network: '10.77.0.0/24' }, undefined).network,
      '10.77.0.0/24',
    ))
  test('a member knows its network', () =>
    assert.equal(placeMachine({ ...machine, settings }, none, undefined).address, '10.77.0.11'))
  for (const [caption, facts] of [
    ['there are addresses in two networks', machine],
    ['the netmask is /32', only(32)],
    ['there is no IPv4 address', { ...machine, devices: [] }],
  ] as const)
    test(`refused: ${caption}`, () =>
      assert.throws(
        () => placeMachine(facts, none, undefined),
        refused(64, /cannot be told .*give it with --network ADDRESS\/PREFIX$/),
      ))
})

describe('join: a machine that is a member already', () => {
  const options = { as: 'first', virtualIp: settings.virtualIp } as FirstOptions
  const seats = {
    n1: { machineId: 'x', address: '10.77.0.11', repmgrId: 1, vipPriority: 100 },
    n2: { machineId: 'y', address: '10.77.0.12', repmgrId: 2, vipPriority: 95 },
  }
  const cluster = { seats: { schema: 1, seats } } as const

  test('the first machine joins again with its virtual IP', () => {
    checkFirst({ ...machine, settings }, options)
    checkFirst(machine, options)
  })
  test('refused: a second cluster', () => {
    const join = () => checkFirst({ ...machine, settings }, { ...options, virtualIp: '10.77.0.101/24' })
    assert.throws(join, refused(64, /already a member of the cluster with the virtual IP 10\.77\.0\.100/))
  })
  test('any members of its cluster may be named', () => checkAddresses(cluster, ['10.77.0.12', '10.77.0.11']))
  test('refused: the address of another cluster', () =>
    assert.throws(
      () => checkAddresses(cluster, ['10.77.0.12', '10.77.0.21']),
      refused(64, /member of the cluster of 10\.77\.0\.11, 10\.77\.0\.12, and 10\.77\.0\.21 is not/),
    ))
})
