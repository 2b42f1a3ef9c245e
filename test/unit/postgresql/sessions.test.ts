/** Sessions that stay open between looks, on a real PostgreSQL and on a server that says nothing. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { EXIT, UnderstudyError } from '../../../lib/core/errors.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import type { Connection } from '../../../lib/postgresql/client.ts'
import { Sessions } from '../../../lib/postgresql/sessions.ts'
import { releases, TestServer } from '../support/postgresql.ts'
import { serverThat } from '../support/wire.ts'

const ASK_MS = 5000

const readPid = async (own: Connection): Promise<number | undefined> =>
  (await own.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid

describe('a session that stays open', () => {
  let server: TestServer
  before(async () => {
    server = await TestServer.start(releases[0]?.bin ?? '')
  })
  after(() => server.remove())

  test('the next look asks in it, also after an error that the server has answered', async () => {
    const sessions = new Sessions('kept')
    const pid = await sessions.with(server.target, ASK_MS, readPid)
    await assert.rejects(
      sessions.with(server.target, ASK_MS, (own) => own.query('select 1 / 0')),
      /division by zero/,
    )
    assert.equal(await sessions.with(server.target, ASK_MS, readPid), pid)
    assert.notEqual(await new Sessions('kept').with(server.target, ASK_MS, readPid), pid)
  })

  test('one that is asked once ends after its answer', async () => {
    const sessions = new Sessions('asked once')
    const pid = await sessions.with(server.target, ASK_MS, readPid)
    assert.notEqual(await sessions.with(server.target, ASK_MS, readPid), pid)
    let failed: number | undefined
    const fails = async (own: Connection): Promise<unknown> => {
      failed = await readPid(own)
      return own.query('select 1 / 0')
    }
    await assert.rejects(sessions.with(server.target, ASK_MS, fails), /division by zero/)
    assert.notEqual(await sessions.with(server.target, ASK_MS, readPid), failed)
    const find = `select from pg_stat_activity where pid = ${pid}`
    await waitFor('its end', ASK_MS, async () => (await server.ask(find)).length === 0 || null)
  })

  test('another one is opened where it has ended', async () => {
    const sessions = new Sessions('kept')
    const pid = await sessions.with(server.target, ASK_MS, readPid)
    await server.ask(`select pg_terminate_backend(${pid}, 1000)`)
    assert.notEqual(await sessions.with(server.target, ASK_MS, readPid), pid)
  })

  test('a work that takes too long fails, and the look after it has a session', async () => {
    const sessions = new Sessions('kept')
    await sessions.with(server.target, ASK_MS, readPid)
    const isUnavailable = (error: unknown): boolean =>
      error instanceof UnderstudyError && error.exitCode === EXIT.unavailable
    await assert.rejects(
      sessions.with(server.target, 100, (own) => own.query('select pg_sleep(60)')),
      isUnavailable,
    )
    assert.ok(await sessions.with(server.target, ASK_MS, readPid))
  })
})

test('a login that is late is not begun anew by the next look', async () => {
  for (const each of ['kept', 'asked once'] as const) {
    let logins = 0
    const port = await serverThat(
      () => {
        logins += 1
      },
      () => {},
    )
    const sessions = new Sessions(each)
    const target = { host: '127.0.0.1', port, user: 'a', database: 'b', password: 'c' }
    for (let look = 0; look < 3; look += 1)
      await assert.rejects(sessions.with(target, 50, readPid), /within 50 ms/)
    assert.equal(logins, 1)
  }
})
