/** A real Consul that an operator uses, too: what a member reads again and again must not grow with it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Consul } from '../../../lib/consul/client.ts'
import { requestJson } from '../../../lib/core/http.ts'
import { keptQuestions } from '../../../lib/core/questions.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { type ConsulAgent, noConsul, startConsul } from '../support/consul-agent.ts'

const ANSWER_MS = 5000
const SYNC_MS = 20_000
const OURS = 'service-rest'

const reads: Readonly<Record<string, (consul: Consul) => Promise<unknown>>> = {
  checks: async (consul) => (await consul.checks(['serfHealth', OURS])).map(({ checkId }) => checkId).sort(),
  tags: (consul) => consul.serviceTags(OURS),
  meta: async (consul) => [...(await consul.serviceMeta('understudy'))],
}

describe('services of others', { skip: noConsul }, () => {
  let agent: ConsulAgent
  const ask = (method: 'GET' | 'PUT', path: string, body?: unknown) =>
    requestJson(agent.port, { method, path, body }, ANSWER_MS)
  /** Not by the client, which would keep other questions then. */
  async function register(ID: string, Meta: Readonly<Record<string, string>>): Promise<void> {
    const Check = { CheckID: ID, TTL: '1h', Status: 'passing' }
    await ask('PUT', '/v1/agent/service/register', { ID, Name: ID, Meta, Check })
    await waitFor(`Consul knows ${ID}`, SYNC_MS, async () => {
      const checks = (await ask('GET', '/v1/health/state/any')) as { CheckID: string }[]
      return checks.some(({ CheckID }) => CheckID === ID) || null
    })
  }
  before(async () => {
    agent = await startConsul()
    await register(OURS, { understudy: 'digest' })
  })
  after(() => agent?.stop())

  const readAll = async () =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(reads).map(async ([name, read]) => [name, await read(agent.consul)] as const),
      ),
    )

  /** As `quick-check` asks them. */
  async function answers(): Promise<Map<string, string>> {
    const paths = (keptQuestions() ?? '').split('\n').flatMap((line) => {
      const [kind, method, path = ''] = line.split('\t')
      return kind === 'consul' && method === 'GET' && /health|service/.test(path) ? [path] : []
    })
    const texts = paths.map(
      async (path): Promise<[string, string]> => [path, JSON.stringify(await ask('GET', path))],
    )
    return new Map(await Promise.all(texts))
  }

  test('are in no answer that a member looks at', async () => {
    const expected = { checks: ['serfHealth', OURS], tags: [], meta: [[OURS, 'digest']] }
    assert.deepEqual(await readAll(), expected)
    const before = await answers()
    assert.ok(before.size >= Object.keys(reads).length)
    for (const id of ['other-1', 'other-2']) await register(id, {})
    assert.deepEqual(await readAll(), expected)
    assert.deepEqual(await answers(), before)
  })
})
