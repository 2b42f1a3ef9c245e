import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Config, Seats } from '../../../lib/consul/manifest.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideVirtualIpPeers,
  isHeardByAll,
  type VirtualIpPeersFacts,
  type VirtualIpPeersPlan,
} from '../../../lib/virtual-ip/decide-peers.ts'
import { settings } from '../support/settings.ts'
import { type Case, table } from '../support/table.ts'

const seat = (number: number) => ({
  machineId: `${number}`,
  address: `10.77.0.1${number}`,
  repmgrId: number,
  vipPriority: 105 - 5 * number,
})
const seatsOf = (...numbers: number[]): Seats => ({
  schema: 1,
  seats: Object.fromEntries(numbers.map((number) => [`n${number}`, seat(number)])),
})
const config: Config = {
  schema: 1,
  clusterId: '123e4567-e89b-12d3-a456-426614174000',
  virtualIp: '10.77.0.100/24',
  vrrp: 'unicast',
  routerId: 100,
  policy: 'with-primary',
  durability: 'quorum',
  database: 'app',
  user: 'app',
  postgresqlVersion: 17,
}
const devices = [{ name: 'eth0', address: '10.77.0.11', prefix: 24 }]
const fresh: VirtualIpPeersFacts = {
  settings,
  config,
  seats: seatsOf(3, 1, 2),
  devices,
  file: '',
  published: null,
}
const first = decideVirtualIpPeers(fresh)
const FILE = first.file ?? ''
const base: VirtualIpPeersFacts = { ...fresh, file: FILE, published: ['n2', 'n3'] }
const told = { do: 'reload', why: 'adverts are to go to n2, n3', file: FILE, peers: ['n2', 'n3'] } as const

const cases: readonly Case<VirtualIpPeersFacts, VirtualIpPeersPlan>[] = [
  ['keepalived knows the others', {}, { do: 'nothing', why: 'adverts go to n2, n3' }],
  ['It was told, but a run died before it could say so', { published: ['n2'] }, told],
  ['It was never told', { published: null }, told],
  ['Somebody has changed its settings', { file: `${FILE}# mine\n` }, told],
  ['Join has not set it up yet', { file: null }, { do: 'nothing', why: 'keepalived has no settings yet' }],
  [
    'The cluster was founded with multicast: one machine that hears nobody would be a second holder',
    { config: { ...config, vrrp: 'multicast' }, published: null },
    { do: 'nothing', why: 'adverts go to everybody, by multicast' },
  ],
  [
    'There is no virtual IP',
    { config: { ...config, virtualIp: null } },
    { do: 'nothing', why: 'the cluster has no virtual IP' },
  ],
  ...(['config', 'seats', 'published'] as const).map(
    (what): Case<VirtualIpPeersFacts, VirtualIpPeersPlan> => [
      `Consul does not say ${what}`,
      { [what]: UNKNOWN, file: '' },
      { do: 'nothing', why: 'Consul does not answer' },
    ],
  ),
]
describe('virtual-ip-peers', () => {
  table(decideVirtualIpPeers, base, cases)

  test('its adverts come from its address and go to all other members', () =>
    assert.match(
      FILE,
      / unicast_src_ip 10\.77\.0\.11\n +unicast_peer \{\n +10\.77\.0\.12\n +10\.77\.0\.13\n +\}/,
    ))

  test('a member more changes the settings, and one less', () => {
    for (const numbers of [
      [1, 2, 3, 4],
      [1, 2],
    ]) {
      const { do: what, file = '' } = decideVirtualIpPeers({ ...base, seats: seatsOf(...numbers) })
      assert.equal(what, 'reload')
      for (const number of [2, 3, 4])
        assert.equal(file.includes(`10.77.0.1${number}\n`), numbers.includes(number), `n${number}`)
    }
  })

  // keepalived gives the address up where a reload makes unicast of multicast.
  test('one machine alone uses unicast as well, and sends to nobody', () => {
    const { file = '', peers } = decideVirtualIpPeers({ ...base, seats: seatsOf(1) })
    assert.match(file, / unicast_src_ip 10\.77\.0\.11\n +unicast_peer \{\n +10\.77\.0\.100\n +\}/)
    assert.deepEqual(peers, [])
  })

  test('VRRP runs over the members, the address is on another interface, and both must work', () => {
    const more = [...devices, { name: 'eth1', address: '192.0.2.11', prefix: 24 }]
    const { file = '' } = decideVirtualIpPeers({
      ...base,
      settings: { ...settings, interface: 'eth1' },
      config: { ...config, virtualIp: '192.0.2.100/24' },
      devices: more,
    })
    assert.match(file, /^ {4}interface eth0\n {4}track_interface \{\n {8}eth1\n {4}\}/m)
    assert.match(file, /virtual_ipaddress \{\n +192\.0\.2\.100\/24 dev eth1\n/)
  })
})

test('a machine is heard by all where its keepalived was told of each of them', () => {
  assert.equal(isHeardByAll('n1', seatsOf(1, 2, 3), ['n2', 'n3']), true)
  assert.equal(isHeardByAll('n1', seatsOf(1, 2, 3), ['n2']), false)
  assert.equal(isHeardByAll('n1', seatsOf(1, 2), null), false)
  assert.equal(isHeardByAll('n1', seatsOf(1), []), true)
})
