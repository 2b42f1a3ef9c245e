import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  authorities,
  clientsAt,
  dataDirectories,
  decideSettings,
  foundingSetting,
  type SettingsFacts,
  transportPort,
} from '../../../lib/search/decide-settings.ts'
import type { Setting } from '../../../lib/search/decide-yaml.ts'

const of = (settings: Record<string, Setting>) => new Map(Object.entries(settings))
const facts = (settings: Record<string, Setting>, more: Partial<SettingsFacts> = {}): SettingsFacts => ({
  ...{ kind: 'opensearch', file: 'opensearch.yml', node: 'n1', address: '10.77.0.11', clusterName: 'logs' },
  settings: of(settings),
  ...more,
})
const ours = {
  'cluster.name': 'logs',
  'node.name': 'n1',
  'discovery.seed_providers': 'file',
  'discovery.seed_hosts': [],
  'transport.host': '10.77.0.11',
}
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(ours).filter(([name]) => !names.includes(name)))
const published = { ...without('transport.host'), 'transport.publish_host': '10.77.0.11' }

const added: readonly (readonly [what: string, settings: Record<string, Setting>, add: object])[] = [
  ['what packages set', { 'path.data': '/var/lib/opensearch' }, ours],
  ['what is said already', { ...ours }, {}],
  ['the name of the cluster', { 'cluster.name': 'logs' }, without('cluster.name')],
  ['the name of the machine', { 'node.name': `\${HOSTNAME}` }, without('node.name')],
  ['a list of one', { 'discovery.seed_providers': ['file'] }, without('discovery.seed_providers')],
  ['its clients at localhost', { 'network.host': ['_local_', '127.0.0.1'] }, ours],
  ['its clients elsewhere', { 'http.host': '0.0.0.0' }, ours],
  ['all addresses', { 'network.host': '0.0.0.0' }, published],
  ['the address among others', { 'network.host': '127.0.0.1, 10.77.0.11' }, published],
  ['a special place', { 'network.host': '_site_' }, published],
  ['listening everywhere', { 'transport.bind_host': '0.0.0.0' }, published],
  ['the address that is published, and loopback alone', { 'network.publish_host': '10.77.0.11' }, ours],
]

const refused: readonly (readonly [what: string, settings: Record<string, Setting>, why: RegExp])[] = [
  [
    'a founder of its own',
    { 'cluster.initial_master_nodes': ['n1'] },
    /sets cluster\.initial_master_nodes to \["n1"\], which belongs to the first start/,
  ],
  [
    'the same by its new name',
    { 'cluster.initial_cluster_manager_nodes': 'n1' },
    /initial_cluster_manager_nodes to n1/,
  ],
  ['a single node', { 'discovery.type': 'single-node' }, /sets discovery\.type to single-node/],
  [
    'other servers',
    { 'discovery.seed_hosts': ['es1'] },
    /sets discovery\.seed_hosts to \["es1"\], but understudy tells/,
  ],
  ['another provider', { 'discovery.seed_providers': 'ec2' }, /sets discovery\.seed_providers to ec2/],
  [
    'another cluster',
    { 'cluster.name': 'shop' },
    /sets cluster\.name to shop, but the servers of this cluster call it logs/,
  ],
  ['another name', { 'node.name': 'es-1' }, /sets node\.name to es-1, but .* called n1/],
  [
    'another address',
    { 'network.host': '192.168.1.5' },
    /sets network\.host to \["192\.168\.1\.5"\], but the other members know this machine by 10\.77\.0\.11/,
  ],
  [
    'another address for the servers',
    { 'transport.host': '192.168.1.5' },
    /sets transport\.host to 192\.168\.1\.5/,
  ],
  ['another address published', { 'network.publish_host': '192.168.1.5' }, /sets network\.publish_host/],
]

describe('search: the settings of a clustered server', () => {
  for (const [what, settings, add] of added)
    test(`${what}: only what is missing is added`, () => {
      const decided = decideSettings(facts(settings))
      assert.ok('add' in decided, JSON.stringify(decided))
      assert.deepEqual(Object.fromEntries(decided.add), add)
    })
  for (const [what, settings, why] of refused)
    test(`${what}: refused`, () => {
      const decided = decideSettings(facts(settings))
      assert.match('why' in decided ? decided.why : '', why)
    })
  test('the founder keeps the name that it has', () => {
    const none = { clusterName: null }
    const decided = decideSettings(facts({}, none))
    assert.equal('add' in decided && decided.add.get('cluster.name'), 'opensearch')
    assert.ok('add' in decideSettings(facts({ 'cluster.name': 'mine' }, none)))
  })
  test('what founds', () => {
    assert.deepEqual(
      [...foundingSetting('opensearch', 'n1')],
      [['cluster.initial_cluster_manager_nodes', ['n1']]],
    )
    assert.deepEqual([...foundingSetting('elasticsearch', 'n1')], [['cluster.initial_master_nodes', ['n1']]])
  })
})

describe('search: where it answers', () => {
  const at = (settings: Record<string, Setting>) => clientsAt(of(settings), '10.77.0.11')
  for (const [settings, url] of [
    [{}, 'http://localhost:9200'],
    [{ 'http.port': '9201-9300' }, 'http://localhost:9201'],
    [{ 'network.host': '0.0.0.0' }, 'http://localhost:9200'],
    [{ 'network.host': '10.77.0.11' }, 'http://10.77.0.11:9200'],
    [{ 'network.host': '_site_' }, 'http://10.77.0.11:9200'],
    [{ 'network.host': '10.77.0.11', 'http.host': '_local_' }, 'http://localhost:9200'],
    [{ 'xpack.security.http.ssl.enabled': 'true' }, 'https://localhost:9200'],
    [{ 'plugins.security.ssl.http.enabled': 'true' }, 'https://localhost:9200'],
  ] as readonly [Record<string, Setting>, string][])
    test(JSON.stringify(settings), () => assert.equal(at(settings).url, url))

  test('its other port, its data, its certificate', () => {
    assert.equal(transportPort(of({})), 9300)
    assert.equal(transportPort(of({ 'transport.port': '9400-9500' })), 9400)
    assert.deepEqual(dataDirectories(of({ 'path.data': '/a,/b' })), ['/a', '/b'])
    assert.deepEqual(
      authorities(
        of({ 'plugins.security.ssl.http.pemtrustedcas_filepath': 'root-ca.pem' }),
        '/etc/opensearch',
      ),
      ['/etc/opensearch/root-ca.pem', '/etc/opensearch/certs/http_ca.crt'],
    )
  })
})
