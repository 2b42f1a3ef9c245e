import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { components } from '../../../lib/components.ts'
import {
  renderConsulAgent,
  renderConsulBootstrap,
  renderConsulMembers,
  renderConsulProbe,
  renderConsulServices,
} from '../../../lib/consul/config.ts'
import { DEFAULT_PREFIX } from '../../../lib/consul/entry.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { DEFAULT_REALM } from '../../../lib/consul/realm.ts'
import { paths } from '../../../lib/core/paths.ts'
import { filesKeys } from '../../../lib/files/manifest.ts'
import { postgresqlPaths, postgresqlUnits } from '../../../lib/postgresql/manifest.ts'
import { servicesKeys } from '../../../lib/services/manifest.ts'
import { golden } from '../../golden/golden.ts'

golden('consul')

const read = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

interface Services {
  services: { id: string; port?: number; checks: { id: string; status?: string; args?: string[] }[] }[]
  watches: {
    type: string
    key?: string
    prefix?: string
    service?: string
    stale?: boolean
    args: string[]
  }[]
}
const services = (kvPrefix: string, postgresqlPort: number): Services =>
  JSON.parse(
    renderConsulServices(components, { kvPrefix, postgresqlPort, postgresqlVersion: 17 }),
  ) as Services

describe('consul', () => {
  const options = {
    node: 'n2',
    address: '10.77.0.12',
    dataDirectory: '/var/lib/consul',
    realm: { datacenter: 'understudy-0a1b2c3d', serverPort: 18377 },
  }

  test('the agent has its own name and address, and an API for this machine only', () => {
    const agent = read(renderConsulAgent(options))
    assert.equal(agent['node_name'], 'n2')
    assert.equal(agent['bind_addr'], '10.77.0.12')
    assert.equal(agent['client_addr'], '127.0.0.1')
    assert.equal(agent['data_dir'], '/var/lib/consul')
    assert.equal(agent['datacenter'], 'understudy-0a1b2c3d')
    assert.deepEqual(agent['ports'], { server: 18377, serf_wan: -1 })
    assert.equal(agent['enable_script_checks'], undefined, 'anyone on the network could then run scripts')
  })

  test('an older cluster keeps the datacenter and the ports that it has', () => {
    const agent = read(renderConsulAgent({ ...options, realm: DEFAULT_REALM }))
    assert.equal(agent['datacenter'], 'dc1')
    assert.deepEqual(agent['ports'], { server: 8300 })
  })

  test('every other member is looked for', () => {
    assert.deepEqual(read(renderConsulMembers(['10.77.0.11', '10.77.0.13'])), {
      retry_join: ['10.77.0.11', '10.77.0.13'],
    })
  })

  test('only the bootstrap file makes a cluster of its own', () => {
    assert.equal(read(renderConsulAgent(options))['bootstrap_expect'], undefined)
    assert.deepEqual(read(renderConsulBootstrap()), { bootstrap_expect: 1 })
  })

  test('a probe is a client with ports of its own', () => {
    const probe = read(
      renderConsulProbe({
        name: 'probe',
        datacenter: 'dc1',
        bind: '10.77.0.13',
        join: '10.77.0.11',
        dataDirectory: '/tmp/x',
        http: 18500,
        serf: 18301,
      }),
    )
    assert.equal(probe['server'], undefined)
    assert.deepEqual(probe['retry_join'], ['10.77.0.11:8301'])
    assert.deepEqual(probe['ports'], { http: 18500, serf_lan: 18301, dns: -1 })
    assert.deepEqual(probe['gossip_lan'], read(renderConsulAgent(options))['gossip_lan'])
  })

  test('there is a watch on each key that something follows, below the prefix of this cluster', () => {
    for (const prefix of [DEFAULT_PREFIX, 'other/cluster/']) {
      const keys = services(prefix, 5432).watches.flatMap(({ type, key }) => (type === 'key' ? [key] : []))
      assert.deepEqual(
        keys.sort(),
        // The lock has two. The members are told to keepalived, and to who sends the log to them.
        [
          ...[consulKeys.config, consulKeys.leader, consulKeys.leader, consulKeys.primary],
          ...[consulKeys.seats, consulKeys.seats, servicesKeys.list],
        ].map(({ path }) => prefix + path),
      )
    }
  })

  // Consul's leader may be what is gone: what asks it must not be all that there is.
  test('only a second watch on the lock asks another machine', () => {
    const { watches } = services(DEFAULT_PREFIX, 5432)
    const asking = watches.filter(({ stale }) => stale !== true)
    assert.deepEqual(
      asking.map(({ key, args }) => [key, args.at(-1)]),
      [[DEFAULT_PREFIX + consulKeys.leader.path, '--early']],
    )
  })

  // A database that comes or goes may decide what the gate could not.
  test('there is a watch on the database, wherever the keys lie', () => {
    for (const prefix of [DEFAULT_PREFIX, 'other/cluster/']) {
      const { watches, services: all } = services(prefix, 5432)
      const ofServices = watches.filter(({ type }) => type === 'service')
      assert.deepEqual(
        ofServices.map(({ key, prefix: below, service }) => [key, below, service]),
        [[undefined, undefined, 'postgresql']],
      )
      assert.ok(all.some(({ id }) => id === 'postgresql'))
    }
  })

  test('there is one on everything that Syncthing is configured by, below the prefix of this cluster', () => {
    for (const prefix of [DEFAULT_PREFIX, 'other/cluster/']) {
      const ofPrefixes = services(prefix, 5432).watches.filter(({ type }) => type === 'keyprefix')
      assert.deepEqual(
        ofPrefixes.map(({ key, prefix: below, service, args }) => [key, below, service, args.at(-1)]),
        [[undefined, `${prefix}syncthing/`, undefined, '/usr/lib/understudy/handlers/files-changed']],
      )
      for (const { path } of [filesKeys.folders, filesKeys.nodes, filesKeys.node('n1')])
        assert.ok(`${prefix}${path}`.startsWith(ofPrefixes[0]?.prefix ?? 'none'), path)
    }
  })

  // A failover needs that lock at once, and to look after files may take long.
  test('what follows the files neither waits for the lock of the others nor keeps them waiting', () => {
    const [watch] = services(DEFAULT_PREFIX, 5432).watches.filter(({ type }) => type === 'keyprefix')
    const locks = watch?.args.filter((argument) => argument.includes('flock') || argument.includes('lock/'))
    assert.deepEqual(locks, [])
  })

  test('there is no other watch', () => {
    const types = services(DEFAULT_PREFIX, 5432).watches.map(({ type }) => type)
    assert.deepEqual(new Set(types), new Set(['key', 'service', 'keyprefix']))
  })

  // Where it began as critical, a restart of the agent would end the session of a primary that is well.
  test('the checks of the database and of files pass until they have failed', () => {
    const checks = services('x/', 5432).services.flatMap(({ checks }) => checks)
    assert.deepEqual(
      checks.filter(({ status }) => status === 'passing').map(({ id }) => id),
      ['postgresql', 'files'],
    )
  })

  test('watches and checks call programs by absolute paths, handlers by theirs', () => {
    const { watches, services: all } = services(DEFAULT_PREFIX, 5432)
    const programs = [...watches, ...all.flatMap(({ checks }) => checks)].flatMap(
      ({ args }) => args?.[0] ?? [],
    )
    assert.ok(programs.length > 0)
    for (const program of programs)
      assert.ok(program.startsWith('/usr/bin/') || program.startsWith(paths.handler('')), program)
    // What they in turn call is not searched for in a PATH, either.
    const commands = [...watches, ...all.flatMap(({ checks }) => checks)].map(({ args = [] }) => args)
    const called = commands.flatMap((args) => {
      if (args.includes('/usr/bin/systemctl')) return []
      return ['systemd-cat', 'flock', 'nice'].some((name) => args.includes(`/usr/bin/${name}`))
        ? [args.findLast((argument) => !argument.startsWith('--')) ?? '']
        : []
    })
    assert.ok(called.length > 0)
    for (const program of called) assert.ok(program.startsWith(paths.handler('')), program)
  })

  test('the database service has the port of this cluster', () => {
    const find = (port: number): number | undefined =>
      services('x/', port).services.find(({ id }) => id === 'postgresql')?.port
    assert.equal(find(5433), 5433)
    assert.equal(services('x/', 5433).services.find(({ id }) => id === 'pgbouncer')?.port, 6432)
  })

  test('the check of the database asks at the port of this cluster, for its unit and for space where its files lie', () => {
    const all = services('x/', 5433).services.flatMap(({ checks }) => checks)
    const asking = all.filter(({ args }) => args?.some((argument) => argument.startsWith('--port')))
    assert.deepEqual(
      asking.map(({ args }) => args),
      [
        [
          paths.handler('database-check'),
          postgresqlUnits.server(17),
          postgresqlPaths.data(17),
          '--port=5433',
        ],
      ],
    )
  })

  test('rendering twice gives the same, with another port in between', () => {
    const one = { kvPrefix: 'x/', postgresqlPort: 5432, postgresqlVersion: 17 }
    const once = renderConsulServices(components, one)
    renderConsulServices(components, { kvPrefix: 'y/', postgresqlPort: 5433, postgresqlVersion: 15 })
    assert.equal(renderConsulServices(components, one), once)
  })
})
