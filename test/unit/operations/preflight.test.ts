import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as v from 'valibot'
import type { FirstOptions, MachineFacts } from '../../../lib/consul/joining.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { checkAddresses, checkFirst, checkMachine, placeMachine } from '../../../lib/operations/preflight.ts'
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
  const place = { interface: 'eth1', address: '10.77.0.11', network: '10.77.0.0/24', prefix: 24 }

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
  test('the network is as wide as the interface says, not as the virtual IP does', () => {
    const devices = [{ name: 'eth1', address: '10.77.0.11', prefix: 16 }]
    const { network, prefix } = placeMachine({ ...machine, devices }, '10.77.0.100/24', undefined)
    assert.deepEqual([network, prefix], ['10.77.0.0/16', 16])
  })
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
