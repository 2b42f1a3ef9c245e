import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { putJson } from '../../../lib/world/http.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function listen(listener: RequestListener): Promise<number> {
  server = createServer(listener)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const answer =
  (status: number, text: string): RequestListener =>
  (_request, response) => {
    response.statusCode = status
    response.end(text)
  }

describe('PUT of a JSON document', () => {
  test('it arrives as it is, and the answer is read', async () => {
    const seen: unknown[] = []
    const port = await listen((request, response) => {
      let text = ''
      request.on('data', (chunk) => {
        text += chunk
      })
      request.on('end', () => {
        seen.push(request.method, request.url, request.headers['content-type'], JSON.parse(text))
        response.end('{"ID":"ä"}')
      })
    })
    assert.deepEqual(await putJson(port, '/v1/x?y=1', { Name: 'ü', Checks: [] }, 2000), { ID: 'ä' })
    assert.deepEqual(seen, ['PUT', '/v1/x?y=1', 'application/json', { Name: 'ü', Checks: [] }])
  })

  test('another status than 200 is an error that says what was answered', async () => {
    const port = await listen(answer(500, 'No cluster leader\n'))
    await assert.rejects(putJson(port, '/', {}, 2000), /^Error: 500: No cluster leader$/)
  })

  test('an answer that is no JSON is an error', async () => {
    const port = await listen(answer(200, 'nonsense'))
    await assert.rejects(putJson(port, '/', {}, 2000), SyntaxError)
  })

  test('nobody listens', async () => {
    const port = await listen(answer(200, '{}'))
    await new Promise((resolve) => server?.close(resolve))
    await assert.rejects(putJson(port, '/', {}, 2000), { code: 'ECONNREFUSED' })
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
      await assert.rejects(putJson(port, '/', {}, 200), /aborted|timeout/i)
      assert.ok(performance.now() - started < 1500)
    })
  }
})
