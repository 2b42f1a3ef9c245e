/**
 * What the built library asks of Consul when it makes a session: the lock of a primary hangs on these checks, and a client
 * library that dropped them without a word was noticed by nobody.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { definitions } from '../unit/support/definitions.ts'

type Library = typeof import('../../lib/consul/session.ts') & typeof import('../../lib/consul/client.ts')
const load = (path: string) => import(new URL(`../../dist/lib/${path}.mjs`, import.meta.url).href)

/** An agent of Consul that knows sessions and writes down what it is asked to create. */
const created: unknown[] = []
const living: { ID: string; Name: string }[] = []
let status = 200
const agent = createServer((request, response) => {
  let text = ''
  request.on('data', (chunk) => {
    text += chunk
  })
  request.on('end', () => {
    const call = `${request.method} ${request.url?.split('?')[0]}`
    response.setHeader('content-type', 'application/json')
    if (call === 'GET /v1/session/node/n1') return response.end(JSON.stringify(living))
    assert.equal(call, 'PUT /v1/session/create')
    created.push(JSON.parse(text))
    response.statusCode = status
    return response.end(status === 200 ? '{"ID":"made"}' : "Check 'postgresql' is in critical state")
  })
})

let session: Library
let consul: InstanceType<Library['Consul']>
before(async () => {
  session = { ...(await load('consul/session')), ...(await load('consul/client')) } as Library
  await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve))
  consul = new session.Consul({ port: (agent.address() as AddressInfo).port })
})
after(() => {
  agent.close()
})
beforeEach(() => {
  created.length = 0
  living.length = 0
  status = 200
})

describe('sessions', () => {
  test("a running primary's dies with its machine and with the check of its database", async () => {
    assert.equal(await session.leaderSession(consul, 'n1'), 'made')
    assert.deepEqual(created, [
      {
        Name: 'understudy-leader',
        Behavior: 'release',
        LockDelay: '0s',
        NodeChecks: ['serfHealth'],
        ServiceChecks: [{ ID: 'postgresql' }],
      },
    ])
    const checks = definitions.services.flatMap(({ checks }) => checks.map(({ id }) => id))
    assert.ok(checks.includes('postgresql'), 'Consul refuses a check that it does not know')
  })

  test("a start's dies with its machine, and by itself", async () => {
    assert.equal(await session.startSession(consul, 'n1'), 'made')
    assert.deepEqual(created, [
      {
        Name: 'understudy-start',
        Behavior: 'release',
        LockDelay: '0s',
        NodeChecks: ['serfHealth'],
        ServiceChecks: [],
        TTL: '60s',
      },
    ])
  })

  test('one that lives is taken again', async () => {
    living.push({ ID: 'of the start', Name: 'understudy-start' }, { ID: 'living', Name: 'understudy-leader' })
    assert.equal(await session.leaderSession(consul, 'n1'), 'living')
    assert.deepEqual(created, [])
  })

  test('while the check of the database fails there is none, and Consul says why', async () => {
    status = 500
    await assert.rejects(session.leaderSession(consul, 'n1'), (error: Error) => {
      assert.deepEqual([error.name, (error as { exitCode?: number }).exitCode], ['UnderstudyError', 69])
      assert.match(String((error.cause as Error).message), /^500: Check 'postgresql' is in critical state$/)
      return true
    })
  })
})
