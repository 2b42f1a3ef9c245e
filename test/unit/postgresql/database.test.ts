/** What is concluded from what a server says on the wire: https://www.postgresql.org/docs/current/protocol-message-formats.html. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { probe, remoteDatabase } from '../../../lib/postgresql/database.ts'
import { closeServers, errorResponse, fatal, message, serverThat } from '../support/wire.ts'

const ready = message('Z', Buffer.from('I'))
const letIn = (socket: Socket) =>
  void socket.write(Buffer.concat([message('R', Buffer.from([0, 0, 0, 0])), ready]))
const fail = (sqlstate: string, text: string) => (socket: Socket) =>
  void socket.write(Buffer.concat([errorResponse('ERROR', sqlstate, text), ready]))
const askForPassword = (socket: Socket) => void socket.write(message('R', Buffer.from([0, 0, 0, 3])))
const hangUp = (socket: Socket) => void socket.end()
const saySomethingElse = (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
const keepSilent = (): void => {}

const PROBE_MS = 300
const ask = (port: number, password?: string) => probe(remoteDatabase('127.0.0.1', port, password), PROBE_MS)

const alive: readonly (readonly [caption: string, sqlstate: string, text: string])[] = [
  ['has no connection left', '53300', 'sorry, too many clients already'],
  ['has no connection left for this user', '53300', 'too many connections for role "understudy_monitor"'],
  ['does not know the password', '28P01', 'password authentication failed for user "understudy_monitor"'],
  ['lets nobody in from here', '28000', 'no pg_hba.conf entry for host "10.77.0.12"'],
  ['starts', '57P03', 'the database system is starting up'],
  ['recovers', '57P03', 'the database system is in recovery mode'],
  ['shuts down', '57P03', 'the database system is shutting down'],
  ['was told to end the connection', '57P01', 'terminating connection due to administrator command'],
  ['has crashed', '57P02', 'terminating connection because of crash of another server process'],
  ['has lost the database', '3D000', 'database "postgres" does not exist'],
  ['is broken', 'XX000', 'could not open file "global/pg_filenode.map"'],
]

describe('a PostgreSQL that answers, but does not say what it is, is alive', () => {
  for (const [caption, sqlstate, text] of alive)
    test(`it ${caption}: ${text}`, async () => {
      const port = await serverThat(fatal(sqlstate, text))
      assert.deepEqual(await ask(port, 'secret'), { role: 'alive', sqlstate, says: text })
    })

  test('it lets us in and refuses the question', async () => {
    const port = await serverThat(letIn, fail('42501', 'permission denied for function pg_ls_waldir'))
    const says = 'permission denied for function pg_ls_waldir'
    assert.deepEqual(await ask(port, 'secret'), { role: 'alive', sqlstate: '42501', says })
  })

  test('it lets us in and goes down before it answers', async () => {
    const port = await serverThat(letIn, fatal('57P01', 'terminating connection'))
    const says = 'terminating connection'
    assert.deepEqual(await ask(port, 'secret'), { role: 'alive', sqlstate: '57P01', says })
  })

  test('it asks for a password, and there is none on this machine', async () => {
    delete process.env['PGPASSFILE']
    const port = await serverThat(askForPassword)
    const says = 'there is no password for understudy_monitor: PGPASSFILE is not set'
    assert.deepEqual(await ask(port), { role: 'alive', sqlstate: '28P01', says })
  })
})

describe('anything else is no answer', () => {
  const answers = { hangUp, saySomethingElse, keepSilent }
  for (const [name, answer] of Object.entries(answers))
    test(name, async () => assert.equal(await ask(await serverThat(answer), 'secret'), UNKNOWN))

  test('it lets us in and then keeps silent', async () => {
    assert.equal(await ask(await serverThat(letIn, keepSilent), 'secret'), UNKNOWN)
  })
})

test('a PostgreSQL is down where nobody listens', async () => {
  const port = await serverThat(hangUp)
  await closeServers()
  assert.deepEqual(await ask(port, 'secret'), { role: 'down' })
})
