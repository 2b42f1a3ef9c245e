import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as v from 'valibot'
import { components } from '../../lib/components.ts'
import { DEFAULT_PREFIX } from '../../lib/consul/entry.ts'
import { consulKeys } from '../../lib/consul/manifest.ts'
import type { Key } from '../../lib/core/key.ts'
import { filesKeys } from '../../lib/files/manifest.ts'
import { postgresqlKeys } from '../../lib/postgresql/manifest.ts'
import { servicesKeys } from '../../lib/services/manifest.ts'
import { virtualIpKeys } from '../../lib/virtual-ip/manifest.ts'
import { deviceOf, folderAt, NOW } from './support/documents.ts'

const config = {
  schema: 1,
  clusterId: '0b9c8a1e-5a2f-4c53-9d0e-8f6f7a1b2c3d',
  virtualIp: '10.77.0.100/24',
  vrrp: 'unicast',
  routerId: 51,
  policy: 'with-primary',
  durability: 'quorum',
  database: 'app',
  user: 'app',
  postgresqlVersion: 17,
}
const primary = { schema: 1, node: 'n1', address: '10.77.0.11', port: 5432, timeline: 3, epoch: 7 }
const leader = { schema: 1, node: 'n1', since: NOW, why: 'the lock of the healthy primary was free' }
const sync = { schema: 1, node: 'n1', voters: ['n2', 'n3'], need: 2 }
const seat = { machineId: 'x', address: '10.77.0.11', repmgrId: 1, vipPriority: 100 }
const syncthing = { schema: 1, deviceId: deviceOf('n1'), address: '10.77.0.11' }
const service = { unit: 'manager-rest@1.service', check: null, run: 'active', givesWay: true }
const history = {
  schema: 1,
  at: NOW,
  node: 'n1',
  event: 'failover_promoted',
  message: 'promoted after 700 ms',
}

const good: readonly (readonly [what: string, key: Key<unknown>, document: unknown])[] = [
  ['the configuration', consulKeys.config, config],
  [
    'the configuration without a virtual IP',
    consulKeys.config,
    { ...config, virtualIp: null, network: '10.77.0.0/24', virtualIpCommand: '/usr/local/sbin/move' },
  ],
  ['the members that keepalived knows', virtualIpKeys.peers('n1'), { schema: 1, peers: ['n2'] }],
  ['the configuration with fixed placement', consulKeys.config, { ...config, policy: 'fixed' }],
  ['the configuration, and commits always wait', consulKeys.config, { ...config, durability: 'strict' }],
  ['the configuration, and commits never wait', consulKeys.config, { ...config, durability: 'async' }],
  ['credentials', consulKeys.credentials, { schema: 1, repmgr: 'a', monitor: 'b', app: 'c' }],
  ['seats', consulKeys.seats, { schema: 1, seats: { n1: seat, 'web-01': seat } }],
  ['no seats', consulKeys.seats, { schema: 1, seats: {} }],
  [
    'a machine',
    consulKeys.node('n1'),
    { schema: 1, address: '10.77.0.11', joinedAt: NOW, versions: { understudy: '0.1.0' } },
  ],
  ['a VRRP state', virtualIpKeys.node('n1'), { schema: 1, priority: 100, state: 'FAULT', since: NOW }],
  ['a database', postgresqlKeys.node('n1'), { schema: 1, repmgrId: 1, address: '10.77.0.11', port: 5432 }],
  ['the lock', consulKeys.leader, leader],
  ['the published primary', consulKeys.primary, primary],
  ['who may be promoted', postgresqlKeys.sync, sync],
  ['nobody may be promoted', postgresqlKeys.sync, { ...sync, voters: [], need: 1 }],
  ['a Syncthing', filesKeys.node('n1'), syncthing],
  [
    'a Syncthing with digits in its id',
    filesKeys.node('n1'),
    { ...syncthing, deviceId: deviceOf('n1').replaceAll('BB', 'Z7') },
  ],
  ['folders', filesKeys.folders, { schema: 1, folders: { files: folderAt('files', '/srv/files') } }],
  ['no folders', filesKeys.folders, { schema: 1, folders: {} }],
  // One that is malformed is dealt with on its own.
  ['folders that hold something else', filesKeys.folders, { schema: 1, folders: { x: null, 'Y Z': [1] } }],
  ['services', servicesKeys.list, { schema: 1, services: { rest: service } }],
  [
    'what a machine makes of them',
    servicesKeys.node('n1'),
    { schema: 1, services: { rest: 'elsewhere', agent: 'missing' } },
  ],
  [
    'moves of the active role',
    servicesKeys.moves,
    { schema: 1, count: 1, movedAt: NOW, failedAt: null, left: ['n1'] },
  ],
  ['a proof of a write', consulKeys.written, { schema: 1, node: 'n1', at: NOW }],
  ['an event', consulKeys.history(NOW, 'n1', 'event'), history],
  ['an event with details', consulKeys.histories, { ...history, details: { ms: 700, deep: [null] } }],
]

const bad: readonly (readonly [what: string, key: Key<unknown>, document: unknown])[] = [
  ['nothing', consulKeys.primary, null],
  ['a text', consulKeys.primary, 'n1'],
  ['a document of a later schema', consulKeys.primary, { ...primary, schema: 2 }],
  ['a document without a schema', consulKeys.leader, { node: 'n1', since: NOW, why: '' }],
  ['a host name with capitals', consulKeys.primary, { ...primary, node: 'N1' }],
  ['a host name with a newline', consulKeys.primary, { ...primary, node: 'n1\n' }],
  ['a host name that begins with a hyphen', consulKeys.primary, { ...primary, node: '-n1' }],
  ['a host name that ends with a hyphen', consulKeys.primary, { ...primary, node: 'n1-' }],
  ['a host name of 64 characters', consulKeys.primary, { ...primary, node: 'n'.repeat(64) }],
  ['a name instead of an address', consulKeys.primary, { ...primary, address: 'n1' }],
  ['an address that says more', consulKeys.primary, { ...primary, address: '10.77.0.11 port=1' }],
  ['port 0', consulKeys.primary, { ...primary, port: 0 }],
  ['port 65536', consulKeys.primary, { ...primary, port: 65536 }],
  ['a port as text', consulKeys.primary, { ...primary, port: '5432' }],
  ['half a timeline', consulKeys.primary, { ...primary, timeline: 1.5 }],
  ['a negative epoch', consulKeys.primary, { ...primary, epoch: -1 }],
  ['a primary without an epoch', consulKeys.primary, { ...primary, epoch: undefined }],
  ['a time that is none', consulKeys.leader, { ...leader, since: 'today' }],
  ['router id 0', consulKeys.config, { ...config, routerId: 0 }],
  ['router id 256', consulKeys.config, { ...config, routerId: 256 }],
  ['a policy that nobody knows', consulKeys.config, { ...config, policy: 'anywhere' }],
  ['a durability that nobody knows', consulKeys.config, { ...config, durability: 'maybe' }],
  ['a voter that is no host name', postgresqlKeys.sync, { ...sync, voters: ['n2', 'N3'] }],
  ['voters that are no list', postgresqlKeys.sync, { ...sync, voters: 'n2' }],
  ['no number of voters that must be seen', postgresqlKeys.sync, { ...sync, need: undefined }],
  ['half a voter that must be seen', postgresqlKeys.sync, { ...sync, need: 1.5 }],
  ['voters of nobody', postgresqlKeys.sync, { ...sync, node: undefined }],
  ['a cluster id that is none', consulKeys.config, { ...config, clusterId: 'mine' }],
  ['a virtual IP without its prefix', consulKeys.config, { ...config, virtualIp: '10.77.0.100' }],
  ['a virtual IP that is no address', consulKeys.config, { ...config, virtualIp: '999.77.0.100/24' }],
  ['a virtual IP with a prefix that is none', consulKeys.config, { ...config, virtualIp: '10.77.0.100/99' }],
  ['a virtual IP with a leading zero', consulKeys.config, { ...config, virtualIp: '10.77.0.010/24' }],
  ['a virtual IP that says more', consulKeys.config, { ...config, virtualIp: '10.77.0.100/24 dev lo' }],
  ['a database name that needs quotes', consulKeys.config, { ...config, database: "my'app" }],
  ['a database name that says more', consulKeys.config, { ...config, database: 'app host=evil' }],
  ['a user name with a blank', consulKeys.config, { ...config, user: 'a b' }],
  ['a name of 64 characters', consulKeys.config, { ...config, user: 'a'.repeat(64) }],
  [
    'a VRRP state that is none',
    virtualIpKeys.node('n1'),
    { schema: 1, priority: 100, state: 'MAYBE', since: NOW },
  ],
  ['a seat of something that is no machine', consulKeys.seats, { schema: 1, seats: { 'not a name': seat } }],
  [
    'a seat without a machine id',
    consulKeys.seats,
    { schema: 1, seats: { n1: { ...seat, machineId: undefined } } },
  ],
  ['a Syncthing without an id', filesKeys.node('n1'), { ...syncthing, deviceId: undefined }],
  ['a Syncthing without an address', filesKeys.nodes, { schema: 1, deviceId: deviceOf('n1') }],
  ['a Syncthing with a name instead', filesKeys.node('n1'), { ...syncthing, address: 'n1' }],
  ['a Syncthing that is found by discovery', filesKeys.node('n1'), { ...syncthing, address: 'dynamic' }],
  ['a Syncthing of a later schema', filesKeys.node('n1'), { ...syncthing, schema: 2 }],
  ...[
    ['small letters', deviceOf('n1').toLowerCase()],
    ['a digit that it never has', deviceOf('n1').replace(/^B/, '1')],
    ['a digit that it never has at its end', deviceOf('n1').replace(/B$/, '0')],
    ['a part too few', deviceOf('n1').slice(8)],
    ['a part too many', `${deviceOf('n1')}-BBBBBBB`],
    ['a part that is short', deviceOf('n1').slice(1)],
    ['no hyphens', deviceOf('n1').replaceAll('-', '')],
    ['a newline', `${deviceOf('n1')}\n`],
    ['something behind it', `${deviceOf('n1')}/../../options`],
  ].map(
    ([what, deviceId]) =>
      [`a device id with ${what}`, filesKeys.node('n1'), { ...syncthing, deviceId }] as const,
  ),
  ['folders without a schema', filesKeys.folders, { folders: {} }],
  ['folders of a later schema', filesKeys.folders, { schema: 2, folders: {} }],
  ['folders that are missing', filesKeys.folders, { schema: 1 }],
  ['folders that are nothing', filesKeys.folders, { schema: 1, folders: null }],
  ['folders that are a list', filesKeys.folders, { schema: 1, folders: [] }],
  ['folders that are a text', filesKeys.folders, { schema: 1, folders: '/srv/files' }],
  ...[
    ['a unit that is a path', { unit: '/etc/x.service' }],
    ['a unit with a blank', { unit: 'a b.service' }],
    ['a place that nobody knows', { run: 'sometimes' }],
    ['a check that is a number', { check: 8100 }],
  ].map(
    ([what, change]) =>
      [
        `a service with ${what as string}`,
        servicesKeys.list,
        { schema: 1, services: { rest: { ...service, ...(change as object) } } },
      ] as const,
  ),
  ['a service with a name of two parts', servicesKeys.list, { schema: 1, services: { 'a.b': service } }],
  ['a password that is missing', consulKeys.credentials, { schema: 1, repmgr: 'a', monitor: 'b' }],
]

describe('documents in Consul', () => {
  for (const [what, { schema }, document] of good) {
    test(`${what} is taken as it is`, () =>
      assert.deepEqual(v.parse(schema, JSON.parse(JSON.stringify(document))), document))
  }
  for (const [what, { schema }, document] of bad) {
    test(`refused: ${what}`, () => assert.ok(!v.is(schema, document), JSON.stringify(document)))
  }
})

test('a cluster that was founded before it could say what a commit waits for has the default', () => {
  const { durability: _, ...old } = config
  assert.equal(v.parse(consulKeys.config.schema, old).durability, 'quorum')
})

describe('keys', () => {
  const keys = components.flatMap((component) =>
    Object.values(component.keys).map((key) => ('path' in key ? key : key('a', 'b', 'c'))),
  )

  test('are relative, so that the prefix can stand before them', () => {
    assert.ok(DEFAULT_PREFIX.endsWith('/'))
    for (const { path } of keys) assert.doesNotMatch(path, /^\/|\/\//)
  })
  test('no two are the same', () => assert.equal(new Set(keys.map(({ path }) => path)).size, keys.length))
  test('what is kept for each machine lies below the key that lists it', () => {
    assert.ok(consulKeys.node('n1').path.startsWith(consulKeys.nodes.path))
    assert.ok(virtualIpKeys.node('n1').path.startsWith(virtualIpKeys.nodes.path))
    assert.ok(postgresqlKeys.node('n1').path.startsWith(postgresqlKeys.nodes.path))
    assert.ok(filesKeys.node('n1').path.startsWith(filesKeys.nodes.path))
    assert.ok(consulKeys.history(NOW, 'n1', 'event').path.startsWith(consulKeys.histories.path))
  })
  // Its watch is on all that lies below it, and on nothing else.
  test('what Syncthing is configured by lies below one prefix, and so does nothing else', () => {
    const below = keys.filter(({ path }) => path.startsWith('syncthing/'))
    assert.deepEqual(
      new Set(below.map(({ path }) => path)),
      new Set([filesKeys.nodes.path, filesKeys.node('a').path, filesKeys.folders.path]),
    )
    assert.ok(
      !filesKeys.folders.path.startsWith(filesKeys.nodes.path),
      'the folders would be listed as a machine',
    )
  })
})
