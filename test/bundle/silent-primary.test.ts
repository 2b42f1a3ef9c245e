/** Who asks the published primary first, and what is left of that. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { errorResponse, serverThat } from '../unit/support/wire.ts'
import { repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-silent-'))
after(() => rmSync(directory, { recursive: true }))
for (const name of ['check', 'pgbouncer']) mkdirSync(join(directory, name))
const note = join(directory, 'check/asked-primary')
for (const file of ['silent-primary.pl', 'ask.pl']) {
  const text = readFileSync(join(repository, 'packaging', file), 'utf8')
  const here = text.replaceAll('/run/understudy', directory).replaceAll('/usr/lib/understudy', directory)
  writeFileSync(join(directory, file), here)
}

const ask = () => run('/usr/bin/perl', [join(directory, 'silent-primary.pl')])

function start(port: number) {
  const file = `[databases]\napp = host=127.0.0.1 port=${port} dbname=app\n`
  writeFileSync(join(directory, 'pgbouncer/databases.ini'), file)
  rmSync(note, { force: true })
  return ask()
}

const noteLeft = (): Promise<string> =>
  waitFor('the note', 5000, async () => (existsSync(note) && readFileSync(note, 'utf8')) || null)

test('a primary that is silent: the note says whom it has asked, and when', async () => {
  let questions = 0
  const port = await serverThat(() => {
    questions += 1
  })
  const ended = start(port)
  const text = await noteLeft()
  const [host, asked, at] = text.trim().split(' ')
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
  assert.deepEqual([host, Number(asked)], ['127.0.0.1', port])
  assert.ok(Number(at) <= uptime && Number(at) > uptime - 5, text)
  assert.equal((await ended).exitCode, 0)
  assert.equal(readFileSync(note, 'utf8'), text)
  assert.equal(questions, 1)
})

test('a primary that is being asked already: the first question counts', async () => {
  let questions = 0
  const port = await serverThat(() => {
    questions += 1
  })
  const ended = start(port)
  const text = await noteLeft()
  const again = await ask()
  assert.deepEqual([again.exitCode, readFileSync(note, 'utf8')], [0, text])
  assert.equal((await ended).exitCode, 0)
  assert.equal(questions, 1)
})

test('a note that is too old, or about another primary, hinders nobody', async () => {
  let questions = 0
  const port = await serverThat((socket) => {
    questions += 1
    socket.end(errorResponse('FATAL', '57P03', 'starting up'))
  })
  await start(port)
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
  for (const left of [`127.0.0.1 ${port} ${uptime - 2.1}`, `127.0.0.1 ${port + 1} ${uptime}`, '']) {
    writeFileSync(note, left)
    assert.equal((await ask()).exitCode, 0)
    assert.equal(existsSync(note), false)
  }
  assert.equal(questions, 4)
})

test('a primary that answers, whatever it says: nothing is left', async () => {
  const port = await serverThat((socket) => void socket.end(errorResponse('FATAL', '57P03', 'starting up')))
  assert.equal((await start(port)).exitCode, 0)
  assert.equal(existsSync(note), false)
})

test('a machine where nobody listens: nothing is left', async () => {
  assert.equal((await start(1)).exitCode, 0)
  assert.equal(existsSync(note), false)
})

test('nobody is pointed at: nobody is asked', async () => {
  writeFileSync(join(directory, 'pgbouncer/databases.ini'), '[databases]\n')
  assert.equal((await ask()).exitCode, 0)
  assert.equal(existsSync(note), false)
})
