import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Consul } from '../../../lib/consul/client.ts'
import { applyUpkeep } from '../../../lib/postgresql/apply-upkeep.ts'
import type { Connection } from '../../../lib/postgresql/client.ts'
import type { LockHolder } from '../../../lib/postgresql/observe-upkeep.ts'
import { answering, closeServers, listen } from '../support/server.ts'
import { settings } from '../support/settings.ts'

const holder: LockHolder = {
  members: [
    { node: 'n1', healthy: true },
    { node: 'n2', healthy: true },
  ],
  mode: 'quorum',
  election: { voters: ['n2', 'n3'], need: 2 },
  saysWaits: true,
  session: 'own',
  epoch: 1,
  sync: null,
}
const rule = { standbys: ['n2', 'n3'], count: 1 }
const database: Connection = { query: () => assert.fail('PostgreSQL must not be changed') }
const target = { host: '/nowhere', port: 5432, user: 'postgres', database: 'repmgr' }

interface TransactionOperation {
  KV: { Verb: string; Key: string }
}

describe('a change of the rules', () => {
  afterEach(closeServers)

  for (const [status, succeeds] of [
    [200, true],
    [409, false],
  ] as const)
    test(`Consul ${succeeds ? 'confirms' : 'denies'} that this machine holds the lock`, async () => {
      const { listener, seen } = answering(() => ({ status, text: '{}' }))
      const consul = new Consul({ port: await listen(listener) })
      const plan = { do: 'elect', why: 'a test', election: { voters: [], need: 1 } } as const
      assert.equal(await applyUpkeep(plan, database, target, { settings, consul }, holder, rule), succeeds)
      const operations = JSON.parse(seen[0]?.text ?? '[]') as TransactionOperation[]
      assert.deepEqual(
        operations.map(({ KV: { Verb, Key } }) => `${Verb} ${Key}`),
        ['check-session understudy/postgresql/leader', 'cas understudy/postgresql/sync'],
      )
    })

  test('commits do not stop waiting where Consul denies it', async () => {
    const { listener } = answering(() => ({ status: 409, text: '{}' }))
    const consul = new Consul({ port: await listen(listener) })
    const plan = { do: 'commit', why: 'a test', commit: { standbys: [], count: 0 } } as const
    assert.equal(await applyUpkeep(plan, database, target, { settings, consul }, holder, rule), false)
  })
})
