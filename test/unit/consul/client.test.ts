import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Consul } from '../../../lib/consul/client.ts'
import { filesKeys } from '../../../lib/files/manifest.ts'
import { addressOf, deviceOf } from '../support/documents.ts'
import { answering, closeServers, listen } from '../support/server.ts'

afterEach(closeServers)

const raw = (key: string, text: string | null) => ({
  Key: key,
  Value: text === null ? null : Buffer.from(text).toString('base64'),
  ModifyIndex: 5,
  LockIndex: 0,
})
const member = (node: string) => ({ schema: 1 as const, deviceId: deviceOf(node), address: addressOf(node) })

/** Lists what Consul has below `syncthing/nodes/` of another cluster. */
async function listed(status: number, value: unknown) {
  const { listener, seen } = answering(() => ({ status, text: JSON.stringify(value) }))
  const plain = await listen((request, response) => {
    // Its client takes an answer for JSON only where it is told so.
    response.setHeader('content-type', 'application/json')
    listener(request, response)
  })
  const consul = new Consul({ prefix: 'other/', port: plain })
  try {
    return { ...(await consul.listValid(filesKeys.nodes)), asked: seen.map(({ url }) => url) }
  } finally {
    consul.close()
  }
}

describe('a list that one malformed entry does not hide', () => {
  test('what is ours, by the rest of the key, and the names of what is not', async () => {
    const { valid, malformed } = await listed(200, [
      raw('other/syncthing/nodes/n1', JSON.stringify(member('n1'))),
      raw('other/syncthing/nodes/n2', '{"schema":1'),
      raw('other/syncthing/nodes/n3', JSON.stringify({ ...member('n3'), deviceId: 'mine' })),
      raw('other/syncthing/nodes/n4', null),
      raw('other/syncthing/nodes/n5', JSON.stringify(member('n5'))),
    ])
    assert.deepEqual(
      valid,
      new Map([
        ['n1', member('n1')],
        ['n5', member('n5')],
      ]),
    )
    assert.deepEqual(malformed, ['n2', 'n3', 'n4'])
  })

  test('there is nothing', async () => {
    const { valid, malformed } = await listed(404, null)
    assert.equal(valid.size, 0)
    assert.deepEqual(malformed, [])
  })

  // Of a list that is behind it would be concluded that a member was removed.
  test('it is read from a leader that is one still, never from whoever answers', async () => {
    const { asked } = await listed(200, [])
    assert.equal(asked.length, 1)
    const { pathname, searchParams } = new URL(asked[0] ?? '', 'http://x')
    assert.equal(decodeURIComponent(pathname), '/v1/kv/other/syncthing/nodes/')
    assert.deepEqual(
      ['consistent', 'recurse', 'stale'].map((name) => searchParams.has(name)),
      [true, true, false],
    )
  })

  test('no answer is an error, not an empty list', async () => {
    await assert.rejects(listed(500, 'No cluster leader'), { name: 'UnderstudyError', exitCode: 69 })
  })
})
