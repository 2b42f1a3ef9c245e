import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as v from 'valibot'
import { DEFAULT_PREFIX, type Key, kv } from '../../../lib/consul/kv.ts'
import { deviceOf, folderAt, NOW } from '../support/documents.ts'

const config = {
  schema: 1,
  clusterId: '0b9c8a1e-5a2f-4c53-9d0e-8f6f7a1b2c3d',
  virtualIp: '10.77.0.100/24',
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
const history = {
  schema: 1,
  at: NOW,
  node: 'n1',
  event: 'failover_promoted',
  message: 'promoted after 700 ms',
}

const good: readonly (readonly [what: string, key: Key<unknown>, document: unknown])[] = [
  ['the configuration', kv.config, config],
  ['the configuration with fixed placement', kv.config, { ...config, policy: 'fixed' }],
  ['the configuration, and commits always wait', kv.config, { ...config, durability: 'strict' }],
  ['the configuration, and commits never wait', kv.config, { ...config, durability: 'async' }],
  ['credentials', kv.credentials, { schema: 1, repmgr: 'a', monitor: 'b', app: 'c' }],
  ['seats', kv.seats, { schema: 1, seats: { n1: seat, 'web-01': seat } }],
  ['no seats', kv.seats, { schema: 1, seats: {} }],
  [
    'a machine',
    kv.node('n1'),
    { schema: 1, address: '10.77.0.11', joinedAt: NOW, versions: { understudy: '0.1.0' } },
  ],
  ['a VRRP state', kv.keepalivedNode('n1'), { schema: 1, priority: 100, state: 'FAULT', since: NOW }],
  ['a database', kv.postgresqlNode('n1'), { schema: 1, repmgrId: 1, address: '10.77.0.11', port: 5432 }],
  ['the lock', kv.leader, leader],
  ['the published primary', kv.primary, primary],
  ['who may be promoted', kv.sync, sync],
  ['nobody may be promoted', kv.sync, { ...sync, voters: [], need: 1 }],
  ['a Syncthing', kv.syncthingNode('n1'), syncthing],
  [
    'a Syncthing with digits in its id',
    kv.syncthingNode('n1'),
    { ...syncthing, deviceId: deviceOf('n1').replaceAll('BB', 'Z7') },
  ],
  ['folders', kv.folders, { schema: 1, folders: { files: folderAt('files', '/srv/files') } }],
  ['no folders', kv.folders, { schema: 1, folders: {} }],
  // One that is malformed is dealt with on its own.
  ['folders that hold something else', kv.folders, { schema: 1, folders: { x: null, 'Y Z': [1] } }],
  ['an event', kv.history(NOW, 'n1', 'event'), history],
  ['an event with details', kv.histories, { ...history, details: { ms: 700, deep: [null] } }],
]

const bad: readonly (readonly [what: string, key: Key<unknown>, document: unknown])[] = [
  ['nothing', kv.primary, null],
  ['a text', kv.primary, 'n1'],
  ['a document of a later schema', kv.primary, { ...primary, schema: 2 }],
  ['a document without a schema', kv.leader, { node: 'n1', since: NOW, why: '' }],
  ['a host name with capitals', kv.primary, { ...primary, node: 'N1' }],
  ['a host name with a newline', kv.primary, { ...primary, node: 'n1\n' }],
  ['a host name that begins with a hyphen', kv.primary, { ...primary, node: '-n1' }],
  ['a host name that ends with a hyphen', kv.primary, { ...primary, node: 'n1-' }],
  ['a host name of 64 characters', kv.primary, { ...primary, node: 'n'.repeat(64) }],
  ['a name instead of an address', kv.primary, { ...primary, address: 'n1' }],
  ['an address that says more', kv.primary, { ...primary, address: '10.77.0.11 port=1' }],
  ['port 0', kv.primary, { ...primary, port: 0 }],
  ['port 65536', kv.primary, { ...primary, port: 65536 }],
  ['a port as text', kv.primary, { ...primary, port: '5432' }],
  ['half a timeline', kv.primary, { ...primary, timeline: 1.5 }],
  ['a negative epoch', kv.primary, { ...primary, epoch: -1 }],
  ['a primary without an epoch', kv.primary, { ...primary, epoch: undefined }],
  ['a time that is none', kv.leader, { ...leader, since: 'today' }],
  ['router id 0', kv.config, { ...config, routerId: 0 }],
  ['router id 256', kv.config, { ...config, routerId: 256 }],
  ['a policy that nobody knows', kv.config, { ...config, policy: 'anywhere' }],
  ['a durability that nobody knows', kv.config, { ...config, durability: 'maybe' }],
  ['a voter that is no host name', kv.sync, { ...sync, voters: ['n2', 'N3'] }],
  ['voters that are no list', kv.sync, { ...sync, voters: 'n2' }],
  ['no number of voters that must be seen', kv.sync, { ...sync, need: undefined }],
  ['half a voter that must be seen', kv.sync, { ...sync, need: 1.5 }],
  ['voters of nobody', kv.sync, { ...sync, node: undefined }],
  ['a cluster id that is none', kv.config, { ...config, clusterId: 'mine' }],
  ['a virtual IP without its prefix', kv.config, { ...config, virtualIp: '10.77.0.100' }],
  ['a virtual IP that is no address', kv.config, { ...config, virtualIp: '999.77.0.100/24' }],
  ['a virtual IP with a prefix that is none', kv.config, { ...config, virtualIp: '10.77.0.100/99' }],
  ['a virtual IP with a leading zero', kv.config, { ...config, virtualIp: '10.77.0.010/24' }],
  ['a virtual IP that says more', kv.config, { ...config, virtualIp: '10.77.0.100/24 dev lo' }],
  ['a database name that needs quotes', kv.config, { ...config, database: 'my-app' }],
  ['a database name that says more', kv.config, { ...config, database: 'app host=evil' }],
  ['a user name with capitals', kv.config, { ...config, user: 'App' }],
  ['a name of 64 characters', kv.config, { ...config, user: 'a'.repeat(64) }],
  [
    'a VRRP state that is none',
    kv.keepalivedNode('n1'),
    { schema: 1, priority: 100, state: 'MAYBE', since: NOW },
  ],
  ['a seat of something that is no machine', kv.seats, { schema: 1, seats: { 'not a name': seat } }],
  ['a seat without a machine id', kv.seats, { schema: 1, seats: { n1: { ...seat, machineId: undefined } } }],
  ['a Syncthing without an id', kv.syncthingNode('n1'), { ...syncthing, deviceId: undefined }],
  ['a Syncthing without an address', kv.syncthingNodes, { schema: 1, deviceId: deviceOf('n1') }],
  ['a Syncthing with a name instead', kv.syncthingNode('n1'), { ...syncthing, address: 'n1' }],
  ['a Syncthing that is found by discovery', kv.syncthingNode('n1'), { ...syncthing, address: 'dynamic' }],
  ['a Syncthing of a later schema', kv.syncthingNode('n1'), { ...syncthing, schema: 2 }],
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
      [`a device id with ${what}`, kv.syncthingNode('n1'), { ...syncthing, deviceId }] as const,
  ),
  ['folders without a schema', kv.folders, { folders: {} }],
  ['folders of a later schema', kv.folders, { schema: 2, folders: {} }],
  ['folders that are missing', kv.folders, { schema: 1 }],
  ['folders that are nothing', kv.folders, { schema: 1, folders: null }],
  ['folders that are a list', kv.folders, { schema: 1, folders: [] }],
  ['folders that are a text', kv.folders, { schema: 1, folders: '/srv/files' }],
  ['a password that is missing', kv.credentials, { schema: 1, repmgr: 'a', monitor: 'b' }],
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
  assert.equal(v.parse(kv.config.schema, old).durability, 'quorum')
})

describe('keys', () => {
  const keys = Object.values(kv).map((key) => ('path' in key ? key : key('a', 'b', 'c')))

  test('are relative, so that the prefix can stand before them', () => {
    assert.ok(DEFAULT_PREFIX.endsWith('/'))
    for (const { path } of keys) assert.doesNotMatch(path, /^\/|\/\//)
  })
  test('no two are the same', () => assert.equal(new Set(keys.map(({ path }) => path)).size, keys.length))
  test('what is kept for each machine lies below the key that lists it', () => {
    assert.ok(kv.node('n1').path.startsWith(kv.nodes.path))
    assert.ok(kv.keepalivedNode('n1').path.startsWith(kv.keepalivedNodes.path))
    assert.ok(kv.postgresqlNode('n1').path.startsWith(kv.postgresqlNodes.path))
    assert.ok(kv.syncthingNode('n1').path.startsWith(kv.syncthingNodes.path))
    assert.ok(kv.history(NOW, 'n1', 'event').path.startsWith(kv.histories.path))
  })
  // Its watch is on all that lies below it, and on nothing else.
  test('what Syncthing is configured by lies below one prefix, and so does nothing else', () => {
    const below = keys.filter(({ path }) => path.startsWith('syncthing/'))
    assert.deepEqual(
      new Set(below.map(({ path }) => path)),
      new Set([kv.syncthingNodes.path, kv.syncthingNode('a').path, kv.folders.path]),
    )
    assert.ok(!kv.folders.path.startsWith(kv.syncthingNodes.path), 'the folders would be listed as a machine')
  })
})
