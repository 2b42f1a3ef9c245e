import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { readable } from '../../../lib/consul/check-documents.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { consulThat, keyValueStore } from '../support/consul.ts'
import { NOW } from '../support/documents.ts'
import { closeServers } from '../support/server.ts'
import { settings } from '../support/settings.ts'

afterEach(closeServers)

const line = readable('members', consulKeys.nodes)
const good = JSON.stringify({ schema: 1, address: '10.77.0.11', joinedAt: NOW, versions: {} })

/** What the check says of a Consul that answers like this. */
async function said(answer: Parameters<typeof consulThat>[0]): Promise<readonly string[]> {
  const { consul } = await consulThat(answer)
  return line.decide(await line.observe({ settings, consul }, { elapsedMs: 0 })).problems
}

describe('documents that this machine cannot read are reported', () => {
  test('none', async () => assert.deepEqual(await said(keyValueStore({ 'understudy/nodes/n1': good })), []))

  test('two', async () =>
    assert.deepEqual(
      await said(
        keyValueStore({
          'understudy/nodes/n1': good,
          'understudy/nodes/n2': '{"schema":2}',
          'understudy/nodes/n3': '{}',
        }),
      ),
      [
        "Consul's key understudy/nodes/n2 was written by a newer understudy (schema 2); upgrade this machine",
        `the value of Consul's key understudy/nodes/n3 is malformed (Invalid key: Expected "schema" but received undefined); correct it with consul kv put`,
      ],
    ))

  test('a Consul that does not answer is reported elsewhere', async () =>
    assert.deepEqual(await said(() => ({ status: 500, text: 'No cluster leader' })), []))

  test('a Consul that denies it is an error', async () =>
    assert.rejects(
      said(() => ({ status: 403, text: 'Permission denied' })),
      { exitCode: 78, message: /denied this machine the right to list nodes\// },
    ))
})
