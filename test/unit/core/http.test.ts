import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { afterEach, describe, test } from 'node:test'
import { HttpError, type JsonRequest, requestJson } from '../../../lib/core/http.ts'
import { answering, closeServers, listen } from '../support/server.ts'

afterEach(closeServers)

const putJson = (port: number, path: string, body: unknown, timeoutMs = 2000): Promise<unknown> =>
  requestJson(port, { method: 'PUT', path, body }, timeoutMs)

/** A server that gives the same answer to everything. */
const listenWith = (status: number, text: string): Promise<number> =>
  listen(answering(() => ({ status, text })).listener)

describe('PUT of a JSON document', () => {
  test('it arrives as it is, and the answer is read', async () => {
    const { listener, seen } = answering(() => ({ text: '{"ID":"ä"}' }))
    const port = await listen(listener)
    assert.deepEqual(await putJson(port, '/v1/x?y=1', { Name: 'ü', Checks: [] }), { ID: 'ä' })
    assert.deepEqual(
      seen.map(({ method, url, headers, text }) => [method, url, headers['content-type'], JSON.parse(text)]),
      [['PUT', '/v1/x?y=1', 'application/json', { Name: 'ü', Checks: [] }]],
    )
  })

  test('another status than 200 is an error that says what was answered', async () => {
    const port = await listenWith(500, 'No cluster leader\n')
    await assert.rejects(putJson(port, '/', {}), /^HttpError: 500: No cluster leader$/)
  })

  test('an answer that is no JSON is an error', async () => {
    const port = await listenWith(200, 'nonsense')
    await assert.rejects(putJson(port, '/', {}), SyntaxError)
  })

  test('nobody listens', async () => {
    const port = await listenWith(200, '{}')
    await closeServers()
    await assert.rejects(putJson(port, '/', {}), { code: 'ECONNREFUSED' })
  })

  for (const [caption, listener] of [
    ['one that never answers', () => {}],
    [
      'one that answers in drops',
      (_request, response) => {
        response.writeHead(200)
        const timer = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ] as const satisfies readonly (readonly [string, RequestListener])[]) {
    test(`the deadline is absolute: ${caption}`, async () => {
      const port = await listen(listener)
      const started = performance.now()
      await assert.rejects(putJson(port, '/', {}, 200), /^Error: no answer within 200 ms$/)
      assert.ok(performance.now() - started < 1500, 'it took too long')
    })
  }
})

describe('a request', () => {
  const all: readonly (readonly [request: JsonRequest, type: string | undefined, text: string])[] = [
    [{ method: 'GET', path: '/a?b=c%20d' }, undefined, ''],
    [{ method: 'DELETE', path: '/a' }, undefined, ''],
    [{ method: 'POST', path: '/a' }, undefined, ''],
    [{ method: 'POST', path: '/a', body: { ignore: [] } }, 'application/json', '{"ignore":[]}'],
    [{ method: 'PATCH', path: '/a', body: { paused: false } }, 'application/json', '{"paused":false}'],
    [{ method: 'PUT', path: '/a', body: null }, 'application/json', 'null'],
  ]
  for (const [request, type, text] of all) {
    const what = 'body' in request ? `with ${text}` : 'without a body'
    test(`${request.method} ${what} says ${type ?? 'of no type'} and sends nothing else`, async () => {
      const { listener, seen } = answering(() => ({ text: '{}' }))
      await requestJson(await listen(listener), request, 2000)
      const [received] = seen
      assert.deepEqual([received?.method, received?.url], [request.method, request.path])
      assert.equal(received?.headers['content-type'], type)
      assert.equal(received?.text, text)
    })
  }

  // A service that restarts closes its connections: the next request over one of them would fail.
  test('has a connection of its own', async () => {
    const ports: (number | undefined)[] = []
    const { listener, seen } = answering(() => ({ text: '{}' }))
    const port = await listen((request, response) => {
      ports.push(request.socket.remotePort)
      listener(request, response)
    })
    for (const path of ['/a', '/b']) await requestJson(port, { method: 'GET', path }, 2000)
    assert.equal(new Set(ports).size, 2)
    assert.deepEqual(
      seen.map(({ headers }) => headers.connection),
      ['close', 'close'],
    )
  })

  test('has the headers that it was given, beside the type of its body', async () => {
    const { listener, seen } = answering(() => ({ text: '{}' }))
    const headers = { 'X-API-Key': 'secret' }
    await requestJson(await listen(listener), { method: 'PUT', path: '/', headers, body: 1 }, 2000)
    assert.equal(seen[0]?.headers['x-api-key'], 'secret')
    assert.equal(seen[0]?.headers['content-type'], 'application/json')
  })

  for (const text of ['', '\n', ' \n']) {
    test(`an answer of ${JSON.stringify(text)} is null`, async () => {
      const port = await listenWith(200, text)
      assert.equal(await requestJson(port, { method: 'POST', path: '/' }, 2000), null)
    })
  }

  test('a long answer in characters of several bytes is read to its end', async () => {
    const port = await listenWith(200, JSON.stringify('ä'.repeat(300_000)))
    assert.equal(await requestJson(port, { method: 'GET', path: '/' }, 2000), 'ä'.repeat(300_000))
  })

  for (const status of [204, 301, 403, 404, 500]) {
    test(`the status ${status} is an error that has it`, async () => {
      const port = await listenWith(status, status === 204 ? '' : 'no\n')
      await assert.rejects(requestJson(port, { method: 'GET', path: '/' }, 2000), (error) => {
        assert.ok(error instanceof HttpError, String(error))
        assert.equal(error.statusCode, status)
        assert.equal(error.message, status === 204 ? '204: ' : `${status}: no`)
        return true
      })
    })
  }

  test('an answer that breaks off is an error', async () => {
    const port = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{"a":1}', () => response.destroy())
    })
    await assert.rejects(requestJson(port, { method: 'GET', path: '/' }, 2000), { code: 'ECONNRESET' })
  })
})
