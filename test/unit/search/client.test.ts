/** The client of a search server, with curl, against a server that says what one says. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { SearchServer } from '../../../lib/search/client.ts'

const asked: string[] = []
let [status, answer] = [200, {} as object]
const http = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk) => {
    body += String(chunk)
  })
  request.on('end', () => {
    asked.push(`${request.method} ${request.url} ${body}`.trim())
    response.writeHead(status).end(JSON.stringify(answer))
  })
})
let server: SearchServer

describe('search: the client', () => {
  before(async () => {
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    server = new SearchServer({ url, authority: null })
  })
  after(() => http.close())

  const says = (what: object, code = 200): void => {
    asked.length = 0
    status = code
    answer = what
  }

  test('a cluster that is not founded has no id', async () => {
    says({ cluster_uuid: '_na_' })
    assert.equal(await server.uuid(), null)
    says({ cluster_uuid: 'abc' })
    assert.equal(await server.uuid(), 'abc')
  })

  test('its own id', async () => {
    says({ nodes: { xyz: { name: 'n1' } } })
    assert.equal(await server.id(), 'xyz')
  })

  test('who has no vote', async () => {
    says({})
    assert.deepEqual(await server.withoutVote(), [])
    const excluded = [{ node_id: 'xyz', node_name: '_absent_' }]
    says({ metadata: { cluster_coordination: { voting_config_exclusions: excluded } } })
    assert.deepEqual(await server.withoutVote(), ['xyz'])
  })

  test('whom indices are kept away from, and what is said to change that', async () => {
    const name = 'cluster.routing.allocation.exclude._name'
    says({ persistent: {}, transient: {} })
    assert.deepEqual(await server.withoutShards(), [])
    says({ persistent: { [name]: 'n2,n3' } })
    assert.deepEqual(await server.withoutShards(), ['n2', 'n3'])
    says({})
    await server.excludeFromShards(['n2', 'n3'])
    await server.excludeFromShards([])
    await server.excludeFromVote(['a', 'b'])
    assert.deepEqual(asked, [
      `PUT /_cluster/settings {"persistent":{"${name}":"n2,n3"}}`,
      `PUT /_cluster/settings {"persistent":{"${name}":null}}`,
      'POST /_cluster/voting_config_exclusions?timeout=5s&node_ids=a,b',
    ])
  })

  test('no elected master is no answer, a refusal is one', async () => {
    says({ error: 'master_not_discovered_exception' }, 503)
    await assert.rejects(server.health(), {
      exitCode: 69,
      message: /GET \/_cluster\/health with 503: .*master_not/,
    })
    says({ error: 'illegal_argument' }, 400)
    await assert.rejects(server.excludeFromVote(['x']), {
      exitCode: 1,
      message: /with 400: .*illegal_argument/,
    })
    says({}, 401)
    await assert.rejects(server.uuid(), {
      exitCode: 78,
      message: /wants another login; write USER:PASSWORD into/,
    })
  })

  test('nobody listens', async () => {
    const nobody = new SearchServer({ url: 'http://127.0.0.1:9', authority: null })
    await assert.rejects(nobody.uuid(), { exitCode: 69, message: /127\.0\.0\.1:9 does not answer: curl: / })
  })
})
