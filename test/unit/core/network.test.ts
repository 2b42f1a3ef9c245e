import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isAddress, isHostAddress, networkOf, parseCidr, sameNetwork } from '../../../lib/core/network.ts'

const cidr = (text: string) => {
  const parsed = parseCidr(text)
  assert.ok(parsed, text)
  return parsed
}

describe('network', () => {
  test('an address with its prefix', () =>
    assert.deepEqual(parseCidr('10.77.0.100/24'), { address: '10.77.0.100', prefix: 24 }))

  const bad = [
    '',
    '10.77.0.100',
    '10.77.0.100/',
    '10.77.0.100/0',
    '10.77.0.100/33',
    '10.77.0.256/24',
    '10.77.0/24',
    '10.77.0.01/24',
    'fe80::1/64',
    '10.77.0.100/24 ',
    '10.77.0.100/24/1',
    '1.2.3.4/-1',
  ]
  for (const text of bad) test(`not ${JSON.stringify(text)}`, () => assert.equal(parseCidr(text), null))

  test('an address without leading zeros, which some programs take for octal', () => {
    assert.ok(isAddress('10.0.0.1'))
    assert.ok(!isAddress('10.0.0.010'))
  })

  const networks: readonly (readonly [text: string, network: string])[] = [
    ['10.77.3.100/24', '10.77.3.0/24'],
    ['10.77.3.100/16', '10.77.0.0/16'],
    ['10.77.3.100/25', '10.77.3.0/25'],
    ['10.77.3.200/25', '10.77.3.128/25'],
    ['200.1.2.3/1', '128.0.0.0/1'],
    ['10.77.3.100/32', '10.77.3.100/32'],
  ]
  for (const [text, network] of networks)
    test(`${text} is in ${network}`, () => assert.equal(networkOf(cidr(text)), network))

  const hosts: readonly (readonly [text: string, host: boolean])[] = [
    ['10.77.0.1/24', true],
    ['10.77.0.0/24', false],
    ['10.77.0.255/24', false],
    ['10.77.0.255/23', true],
    ['10.77.1.255/23', false],
    ['10.77.0.0/31', true],
    ['10.77.0.1/32', true],
    ['255.255.255.255/1', false],
  ]
  for (const [text, host] of hosts) {
    test(`${text} is ${host ? 'an' : 'no'} address for a machine`, () =>
      assert.equal(isHostAddress(cidr(text)), host))
  }

  test('two addresses are in one network exactly if the network of both is the same', () => {
    const address = fc.ipV4()
    fc.assert(
      fc.property(address, address, fc.integer({ min: 1, max: 32 }), (one, other, prefix) => {
        const bits = (text: string): string =>
          text
            .split('.')
            .map((part) => Number(part).toString(2).padStart(8, '0'))
            .join('')
            .slice(0, prefix)
        assert.equal(sameNetwork({ address: one, prefix }, other), bits(one) === bits(other))
      }),
    )
  })
})
