import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { paths } from '../../../lib/core/paths.ts'
import { addressOn, renderKeepalived } from '../../../lib/virtual-ip/config.ts'
import { NO_CLAIM, PRIMARY_WEIGHT } from '../../../lib/virtual-ip/decide-weight.ts'
import { virtualIpPaths } from '../../../lib/virtual-ip/manifest.ts'
import { golden } from '../../golden/golden.ts'

golden('virtual-ip')

describe('the netmask of the virtual IP on an interface', () => {
  const on = (prefix: number) =>
    addressOn('eth0', '10.77.0.100/24', [
      { name: 'eth0', address: '10.77.0.100', prefix: 24 },
      { name: 'eth0', address: '10.77.0.11', prefix },
    ])

  test("is that of the interface's own address", () => assert.equal(on(24), '10.77.0.100/24'))
  // Connections to other members would come from the virtual IP, whose route is the narrower or the only one.
  for (const prefix of [16, 28, 32])
    test(`brings no route where the interface has /${prefix}`, () =>
      assert.equal(on(prefix), '10.77.0.100/32'))
  test('is its own where it is alone in its network', () => {
    assert.equal(
      addressOn('eth0', '192.0.2.100/24', [{ name: 'eth0', address: '10.77.0.11', prefix: 24 }]),
      '192.0.2.100/24',
    )
    assert.equal(
      addressOn('eth1', '10.77.0.100/24', [{ name: 'eth0', address: '10.77.0.11', prefix: 16 }]),
      '10.77.0.100/24',
    )
  })
})

describe('keepalived', () => {
  const text = renderKeepalived({
    node: 'n2',
    interface: 'eth0',
    virtualIp: '10.77.0.100/24',
    routerId: 51,
    priority: 95,
  })
  const setting = (name: string): string | undefined => new RegExp(`^ *${name} (.*)$`, 'm').exec(text)?.[1]

  test('the settings of this machine are in their places', () => {
    assert.equal(setting('router_id'), 'n2')
    assert.equal(setting('interface'), 'eth0')
    assert.equal(setting('virtual_router_id'), '51')
    assert.equal(setting('priority'), '95')
    assert.match(text, /virtual_ipaddress \{\n *10\.77\.0\.100\/24 dev eth0\n/)
  })

  test('it follows the file that the weight is written to', () =>
    assert.equal(setting('file'), `"${virtualIpPaths.weight}"`))

  test('nopreempt would keep the address from following the primary', () =>
    assert.doesNotMatch(text, /nopreempt/))

  test('a machine that comes back does not take the address before Consul has named the primary', () =>
    assert.equal(setting('preempt_delay'), '10'))

  // keepalived appends "INSTANCE name STATE priority" and calls it for STOP, too: nothing else is needed.
  test('one command gets every change, under the lock of its handler', () => {
    const handler = paths.handler('virtual-ip-state')
    const notify = setting('notify') ?? ''
    assert.ok(notify.includes(` ${paths.lock('virtual-ip-state')} `), notify)
    assert.ok(notify.endsWith(`${handler}"`), notify)
    assert.equal(text.split(handler).length, 2)
  })

  test('the command runs at a lower priority than a failover', () =>
    assert.match(setting('notify') ?? '', / \/usr\/bin\/nice -n 10 \/usr\/bin\/flock /))

  test('brackets are closed', () => assert.equal(text.split('{').length, text.split('}').length))

  test('the heaviest machine stays below the priority that VRRP keeps for owners', () =>
    assert.ok(PRIMARY_WEIGHT + 100 < 255))

  // keepalived.conf(5), track_file: a weight of -254 is a fault, and a fault holds no address.
  test('a machine that gives up its claim is in the state FAULT', () => assert.equal(NO_CLAIM, -254))
})
