import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Consul } from '../../../lib/consul/client.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { orUnknown, UNKNOWN } from '../../../lib/core/unknown.ts'
import { filesKeys } from '../../../lib/files/manifest.ts'
import { consulThat, keyValueStore, raw } from '../support/consul.ts'
import { addressOf, deviceOf, NOW, published } from '../support/documents.ts'
import type { Received } from '../support/server.ts'
import { closeServers, listen } from '../support/server.ts'

afterEach(closeServers)

const member = (node: string) => ({ schema: 1 as const, deviceId: deviceOf(node), address: addressOf(node) })
const lead = { schema: 1 as const, node: 'n1', since: NOW, why: 'a test' }
const empty = { text: '[]' }

/** How a read was asked for. */
const consistencyOf = (url: string | undefined): string[] => {
  const { searchParams } = new URL(url ?? '', 'http://consul')
  return ['consistent', 'stale'].filter((name) => searchParams.has(name))
}

describe('consistency', () => {
  // A stale answer shows a lock that somebody else has taken, or a cluster without one of its members.
  const consistent: Readonly<Record<string, (consul: Consul) => Promise<unknown>>> = {
    get: (consul) => consul.get(consulKeys.leader),
    list: (consul) => consul.list(consulKeys.nodes),
    names: (consul) => consul.names(consulKeys.histories),
    sessions: (consul) => consul.sessions('n1'),
    checks: (consul) => consul.checks(['postgresql']),
  }
  for (const [name, read] of Object.entries(consistent)) {
    test(`${name} asks a leader that has made sure it still is one`, async () => {
      const { consul, seen } = await consulThat(() => empty)
      await read(consul)
      assert.deepEqual(
        seen.map(({ url }) => consistencyOf(url)),
        [['consistent']],
      )
    })
  }

  // The status must say what there is also without a leader.
  const stale: Readonly<Record<string, (consul: Consul) => Promise<unknown>>> = {
    getStale: (consul) => consul.getStale(consulKeys.leader),
    listStale: (consul) => consul.listStale(consulKeys.nodes),
    checksStale: (consul) => consul.checksStale(),
    voters: (consul) => consul.voters(),
  }
  for (const [name, read] of Object.entries(stale)) {
    test(`${name} asks any server, also without a leader`, async () => {
      const { consul, seen } = await consulThat(({ url }) =>
        url.includes('/raft/') ? { text: '{"Servers":[]}' } : empty,
      )
      await read(consul)
      assert.deepEqual(
        seen.map(({ url }) => consistencyOf(url)),
        [['stale']],
      )
    })
  }
})

describe('keys', () => {
  test('one key: its value, and what Consul says of it', async () => {
    const entry = {
      ...raw('other/postgresql/leader', JSON.stringify(lead), 17),
      LockIndex: 3,
      Session: 'of n1',
    }
    const { consul, seen } = await consulThat(() => ({ text: JSON.stringify([entry]) }), 'other/')
    assert.deepEqual(await consul.get(consulKeys.leader), {
      value: lead,
      modifyIndex: 17,
      lockIndex: 3,
      session: 'of n1',
    })
    assert.equal(seen[0]?.method, 'GET')
    const { pathname } = new URL(seen[0]?.url ?? '', 'http://consul')
    assert.equal(decodeURIComponent(pathname), '/v1/kv/other/postgresql/leader')
  })

  test('what is not there is null, and below it is nothing', async () => {
    const { consul } = await consulThat(() => ({ status: 404 }))
    assert.equal(await consul.get(consulKeys.leader), null)
    assert.deepEqual(await consul.list(consulKeys.nodes), { valid: new Map(), malformed: [], problems: [] })
    assert.deepEqual(await consul.names(consulKeys.nodes), [])
  })

  test('a list that one malformed entry does not hide', async () => {
    const { consul } = await consulThat(
      keyValueStore({
        'other/syncthing/nodes/n1': JSON.stringify(member('n1')),
        'other/syncthing/nodes/n2': '{"schema":1',
        'other/syncthing/nodes/n3': JSON.stringify({ ...member('n3'), deviceId: 'mine' }),
        'other/syncthing/nodes/n4': '',
        'other/syncthing/nodes/n5': JSON.stringify(member('n5')),
      }),
      'other/',
    )
    const { valid, malformed, problems } = await consul.list(filesKeys.nodes)
    assert.deepEqual(
      valid,
      new Map([
        ['n1', member('n1')],
        ['n5', member('n5')],
      ]),
    )
    assert.deepEqual(malformed, ['n2', 'n3', 'n4'])
    assert.deepEqual(
      problems.map(
        (problem) =>
          /the value of Consul's key other\/syncthing\/nodes\/(n\d) is malformed/.exec(problem)?.[1],
      ),
      malformed,
    )
  })

  test('names, whatever the values are', async () => {
    const { consul } = await consulThat(
      keyValueStore({ 'understudy/history/a': '{', 'understudy/history/b/c': '' }),
    )
    assert.deepEqual(await consul.names(consulKeys.histories), ['a', 'b/c'])
  })

  test('a value is written as it is, in characters of several bytes', async () => {
    const { consul, seen } = await consulThat(() => ({ text: 'true' }))
    await consul.set(consulKeys.leader, { ...lead, why: 'für n1' })
    await consul.delete(consulKeys.leader)
    const path = '/v1/kv/understudy%2Fpostgresql%2Fleader'
    assert.deepEqual(
      seen.map(({ method, url }) => [method, url]),
      [
        ['PUT', path],
        ['DELETE', path],
      ],
    )
    assert.deepEqual(JSON.parse(seen[0]?.text ?? ''), { ...lead, why: 'für n1' })
  })

  test('compare-and-set: of what was read, or of nothing; whoever was slower is told so', async () => {
    const { consul, seen } = await consulThat(({ url }) => ({
      text: url.endsWith('cas=17') ? 'false' : 'true',
    }))
    const read = { value: lead, modifyIndex: 17, lockIndex: 0, session: null }
    assert.equal(await consul.compareAndSet(consulKeys.leader, lead, null), true)
    assert.equal(await consul.compareAndSet(consulKeys.leader, lead, read), false)
    assert.deepEqual(
      seen.map(({ url }) => new URL(url, 'http://consul').search),
      ['?cas=0', '?cas=17'],
    )
  })

  test('a lock is given back by its session only', async () => {
    const { consul, seen } = await consulThat(({ url }) => ({
      text: url.endsWith('=ours') ? 'true' : 'false',
    }))
    assert.equal(await consul.release(consulKeys.leader, lead, 'ours'), true)
    assert.equal(await consul.release(consulKeys.leader, lead, 'of others'), false)
    assert.equal(new URL(seen[1]?.url ?? '', 'http://consul').searchParams.get('release'), 'of others')
  })
})

describe('transactions', () => {
  test('all operations in one request', async () => {
    const { consul, seen } = await consulThat(() => ({ text: '{"Results":[]}' }))
    assert.equal(
      await consul.transaction([
        { verb: 'check-session', key: 'postgresql/leader', session: 'ours' },
        { verb: 'cas', key: 'postgresql/primary', value: { name: 'ü' }, index: 17 },
      ]),
      true,
    )
    assert.deepEqual([seen[0]?.method, seen[0]?.url], ['PUT', '/v1/txn'])
    assert.deepEqual(JSON.parse(seen[0]?.text ?? ''), [
      { KV: { Verb: 'check-session', Key: 'understudy/postgresql/leader', Session: 'ours' } },
      {
        KV: {
          Verb: 'cas',
          Key: 'understudy/postgresql/primary',
          Value: Buffer.from('{"name":"ü"}').toString('base64'),
          Index: 17,
          Flags: 17,
        },
      },
    ])
  })

  test('a lock is taken only as it was seen', async () => {
    const { consul, seen } = await consulThat(() => ({ text: '{}' }))
    await consul.acquire(consulKeys.leader, lead, 'ours', 0)
    await consul.acquire(consulKeys.leader, lead, 'ours', 17)
    const verbs = seen.map(({ text }) =>
      (JSON.parse(text) as { KV: { Verb: string; Index?: number } }[]).map(({ KV }) => [KV.Verb, KV.Index]),
    )
    assert.deepEqual(verbs, [
      [
        ['check-not-exists', undefined],
        ['lock', undefined],
      ],
      [
        ['check-index', 17],
        ['lock', undefined],
      ],
    ])
  })

  test('a condition that does not hold is false', async () => {
    const text = '{"Results":null,"Errors":[{"OpIndex":0,"What":"failed to check session"}]}'
    const { consul } = await consulThat(() => ({ status: 409, text }))
    assert.equal(await consul.transaction([{ verb: 'delete', key: 'x' }]), false)
  })

  // Consul answers it like a condition that does not hold: whoever believed that would wait for ever for the lock.
  test('a denied operation is an error', async () => {
    const text = '{"Results":null,"Errors":[{"OpIndex":0,"What":"Permission denied"}]}'
    const { consul } = await consulThat(() => ({ status: 409, text }))
    await assert.rejects(consul.acquire(consulKeys.leader, lead, 'ours', 0), {
      exitCode: 78,
      message: /denied this machine the right to write postgresql\/leader in one transaction/,
    })
  })
})

describe('the agent', () => {
  test('a session with its checks', async () => {
    const { consul, seen } = await consulThat(() => ({ text: '{"ID":"made"}' }))
    const options = { name: 'x', nodeChecks: ['serfHealth'], serviceChecks: ['postgresql'], ttlSeconds: 60 }
    assert.equal(await consul.createSession(options), 'made')
    await consul.destroySession('made')
    assert.deepEqual(
      seen.map(({ method, url }) => [method, url]),
      [
        ['PUT', '/v1/session/create'],
        ['PUT', '/v1/session/destroy/made'],
      ],
    )
    assert.deepEqual(JSON.parse(seen[0]?.text ?? ''), {
      Name: 'x',
      Behavior: 'release',
      LockDelay: '0s',
      NodeChecks: ['serfHealth'],
      ServiceChecks: [{ ID: 'postgresql' }],
      TTL: '60s',
    })
  })

  test('sessions, checks, members and votes in our own words', async () => {
    const answers: Readonly<Record<string, unknown>> = {
      '/v1/session/node/n1?consistent': [{ ID: 'a', Name: 'understudy-leader', Node: 'n1' }],
      '/v1/health/state/any?consistent&filter=CheckID%20%3D%3D%20%22postgresql%22': [
        {
          Node: 'n1',
          CheckID: 'postgresql',
          ServiceName: 'postgresql',
          Status: 'passing',
          Output: 'ok',
          Type: '',
        },
      ],
      '/v1/agent/members': [
        {
          Name: 'n1',
          Addr: '10.77.0.11',
          Status: 1,
          Tags: { role: 'consul', id: 'a-b', build: '1.8.7:abc' },
        },
        { Name: 'n2', Addr: '10.77.0.12', Status: 4, Tags: { role: 'node' } },
      ],
      '/v1/operator/raft/configuration?stale': {
        Servers: [
          { Node: 'n1', Voter: true },
          { Node: 'n2', Voter: false },
        ],
      },
      '/v1/status/leader': '10.77.0.11:8300',
    }
    const { consul } = await consulThat(({ url }) => ({ text: JSON.stringify(answers[url]) }))
    assert.deepEqual(await consul.sessions('n1'), [{ id: 'a', name: 'understudy-leader' }])
    assert.deepEqual(await consul.checks(['postgresql']), [
      { node: 'n1', checkId: 'postgresql', service: 'postgresql', status: 'passing', output: 'ok' },
    ])
    assert.deepEqual(await consul.members(), [
      { name: 'n1', nodeId: 'a-b', address: '10.77.0.11', alive: true, server: true, version: '1.8.7' },
      { name: 'n2', nodeId: '', address: '10.77.0.12', alive: false, server: false, version: '' },
    ])
    assert.deepEqual(await consul.voters(), ['n1'])
    assert.equal(await consul.leader(), '10.77.0.11:8300')
  })

  test('no leader is null', async () => {
    const { consul } = await consulThat(() => ({ text: '""' }))
    assert.equal(await consul.leader(), null)
  })

  test('a check is set with its text, however long', async () => {
    const { consul, seen } = await consulThat(() => ({}))
    await consul.setCheck('understudy', 'warning', 'x & y?'.repeat(5000))
    assert.deepEqual([seen[0]?.method, seen[0]?.url], ['PUT', '/v1/agent/check/update/understudy'])
    assert.deepEqual(JSON.parse(seen[0]?.text ?? ''), { Status: 'warning', Output: 'x & y?'.repeat(5000) })
  })

  test('a service gets other tags and stays as it is', async () => {
    const service = { ID: 'db', Service: 'postgresql', Port: 5432, Address: '10.77.0.11' }
    const services: Readonly<Record<string, unknown>> = {
      '/v1/agent/service/db': { ...service, Tags: ['standby'] },
      '/v1/agent/service/none': { ...service, Tags: null },
    }
    const { consul, seen } = await consulThat(({ method, url }) => {
      if (method !== 'GET') return {}
      return url in services ? { text: JSON.stringify(services[url]) } : { status: 404 }
    })
    assert.deepEqual(await consul.serviceTags('db'), ['standby'])
    assert.deepEqual(await consul.serviceTags('none'), [])
    assert.equal(await consul.serviceTags('other'), null)
    await consul.setServiceTags('db', ['primary'])
    const register = seen.at(-1)
    assert.deepEqual([register?.method, register?.url], ['PUT', '/v1/agent/service/register'])
    assert.deepEqual(JSON.parse(register?.text ?? ''), {
      ID: 'db',
      Name: 'postgresql',
      Port: 5432,
      Address: '10.77.0.11',
      Tags: ['primary'],
    })
    await assert.rejects(consul.setServiceTags('other', []), {
      name: 'UnderstudyError',
      message: /not registered/,
    })
  })

  test('it looks for a member', async () => {
    const { consul, seen } = await consulThat(() => ({}))
    await consul.join('10.77.0.12')
    assert.deepEqual([seen[0]?.method, seen[0]?.url], ['PUT', '/v1/agent/join/10.77.0.12'])
  })
})

describe('what fails is told apart', () => {
  const kinds: readonly (readonly [
    caption: string,
    status: number,
    text: string,
    exitCode: number,
    why: RegExp,
  ])[] = [
    ['no leader', 500, 'No cluster leader', 69, /^could not read postgresql\/leader in Consul$/],
    ['too many requests', 429, 'rate limited', 69, /^could not read postgresql\/leader in Consul$/],
    [
      'denied',
      403,
      'Permission denied',
      78,
      /^Consul denied this machine the right to read postgresql\/leader; check/,
    ],
    ['refused', 400, 'Bad request', 1, /^could not read postgresql\/leader: Consul refused the request$/],
    ['not JSON', 200, '<html>', 65, /the answer is not JSON/],
    [
      'a value that is malformed',
      200,
      JSON.stringify([raw('understudy/postgresql/leader', '{}')]),
      65,
      /is malformed/,
    ],
  ]
  for (const [caption, status, text, exitCode, why] of kinds) {
    test(caption, async () => {
      const { consul } = await consulThat(() => ({ status, text }))
      await assert.rejects(consul.get(consulKeys.leader), { name: 'UnderstudyError', exitCode, message: why })
    })
  }

  test('nobody listens', async () => {
    const port = await listen(() => {})
    await closeServers()
    const refused = new Consul({ port }).get(consulKeys.leader)
    await assert.rejects(refused, { exitCode: 69, message: /Consul does not answer/ })
  })

  test('no answer in time', async () => {
    const consul = new Consul({ port: await listen(() => {}), timeoutMs: 100 })
    await assert.rejects(consul.list(consulKeys.nodes), (error: Error & { exitCode?: number }) => {
      assert.equal(error.exitCode, 69)
      assert.match(String((error.cause as Error).message), /no answer within 100 ms/)
      return true
    })
  })

  const reads: Readonly<Record<string, (consul: Consul) => Promise<unknown>>> = {
    get: (consul) => consul.get(consulKeys.leader),
    list: (consul) => consul.list(consulKeys.nodes),
    checks: (consul) => consul.checks(['postgresql']),
    sessions: (consul) => consul.sessions('n1'),
    leader: (consul) => consul.leader(),
    members: (consul) => consul.members(),
    serviceTags: (consul) => consul.serviceTags('postgresql'),
  }
  for (const [name, read] of Object.entries(reads)) {
    test(`only no answer is the fact UNKNOWN: ${name}`, async () => {
      for (const status of [500, 503, 429]) {
        const { consul } = await consulThat(() => ({ status, text: 'rpc error' }))
        assert.equal(await orUnknown(read(consul)), UNKNOWN)
      }
      for (const [status, exitCode] of [
        [403, 78],
        [400, 1],
      ] as const) {
        const { consul } = await consulThat(() => ({ status, text: 'no' }))
        await assert.rejects(orUnknown(read(consul)), { name: 'UnderstudyError', exitCode })
      }
    })
  }
})

test('a document that a newer understudy has written is read, but not written over', async () => {
  const newer = { ...published('n1', 3, 7), schema: 2, addedLater: true }
  const { consul, seen } = await consulThat(
    keyValueStore({ 'understudy/postgresql/primary': JSON.stringify(newer) }),
  )
  const entry = await consul.get(consulKeys.primary)
  assert.deepEqual(entry?.value, published('n1', 3, 7))
  assert.equal(entry?.newerSchema, 2)
  await assert.rejects(consul.compareAndSet(consulKeys.primary, published('n2', 4, 8), entry), {
    exitCode: 78,
    message: /a newer understudy \(schema 2\) has written postgresql\/primary.*upgrade this machine/,
  })
  assert.equal(seen.filter(({ method }) => method === 'PUT').length, 0)
})

describe('a check that was just run by hand is said to pass in the catalogue', () => {
  const check = { Node: 'n1', CheckID: 'understudy', Status: 'critical', Output: '', ServiceID: 'understudy' }
  const catalogue = ({ method }: Received) => ({ text: method === 'GET' ? JSON.stringify([check]) : 'true' })

  test('with all that Consul has of it, and without touching the node', async () => {
    const { consul, seen } = await consulThat(catalogue)
    assert.equal(await consul.passCheck('n1', 'understudy', 'no problem was found'), true)
    assert.deepEqual(JSON.parse(seen.find(({ method }) => method === 'PUT')?.text ?? ''), {
      Node: 'n1',
      SkipNodeUpdate: true,
      Check: { ...check, Status: 'passing', Output: 'no problem was found' },
    })
  })

  test('one that is not registered is not made', async () => {
    const { consul, seen } = await consulThat(catalogue)
    assert.equal(await consul.passCheck('n1', 'search', 'well'), false)
    assert.ok(seen.every(({ method }) => method === 'GET'))
  })
})
