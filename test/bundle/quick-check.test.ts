/** What is asked again in the place of a look, with services, files and a `check` of the test's own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { keptQuestions } from '../../lib/core/questions.ts'
import { waitFor } from '../../lib/core/wait.ts'
import { withDatabase } from '../../lib/postgresql/client.ts'
import { releases, TestServer } from '../unit/support/postgresql.ts'
import { answering, closeServers, listen } from '../unit/support/server.ts'
import { errorResponse, message } from '../unit/support/wire.ts'
import { type Ended, repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-quick-'))
after(() => rmSync(directory, { recursive: true }))
const at = (name: string): string => join(directory, name)
for (const name of ['check', 'handlers', 'units']) mkdirSync(at(name))

/** A check that notes that it ran, asks these questions, and ends like this. `meanwhile`: what changes while it runs. */
function checkIs(questions: readonly string[] | null, { code = 0, meanwhile = '' } = {}): void {
  const text = questions === null ? '' : `${questions.join('\n')}\n`
  writeFileSync(at('asked'), text)
  const keep = questions === null ? 'rm -f check/questions' : 'cp asked check/questions'
  const script = `#!/bin/sh\ncd ${directory}\necho ran >> ran\n${keep}\n${meanwhile}\necho said\nexit ${code}\n`
  writeFileSync(at('handlers/check'), script)
  chmodSync(at('handlers/check'), 0o755)
}

/** A systemctl that notes what it is asked for, and ends with this code. */
function systemctlNotes(code = 0): void {
  rmSync(at('started'), { force: true })
  writeFileSync(at('systemctl'), `#!/bin/sh\necho "$*" >> ${at('started')}\nexit ${code}\n`)
  chmodSync(at('systemctl'), 0o755)
}

let consulPort = 0
let syncthingPort = 0

function install(): void {
  const text = (name: string): string =>
    readFileSync(join(repository, 'packaging', name), 'utf8')
      .replaceAll('/run/understudy', directory)
      .replaceAll('/usr/lib/understudy', directory)
      .replaceAll('/run/systemd/units', at('units'))
      .replaceAll('/etc/understudy', directory)
      .replace('(8500, 8384)', `(${consulPort}, ${syncthingPort})`)
  writeFileSync(at('quick-check'), text('quick-check.pl'))
  writeFileSync(at('ask.pl'), text('ask.pl'))
}

async function quickCheck(): Promise<Ended & { ran: boolean }> {
  install()
  rmSync(at('ran'), { force: true })
  const ended = await run('/usr/bin/perl', [at('quick-check')], {
    env: { PATH: `${directory}:/usr/bin:/bin` },
  })
  assert.equal(ended.stderr, '')
  return { ...ended, ran: existsSync(at('ran')) }
}

/** Runs until the answers are kept: the first run has no questions, the second one keeps what it was told. */
async function settle(): Promise<void> {
  for (const ran of [true, true, false]) assert.equal((await quickCheck()).ran, ran)
}

beforeEach(() => {
  for (const name of ['check/questions', 'check/answers']) rmSync(at(name), { force: true })
  writeFileSync(at('check/heartbeat'), '1\n')
})
afterEach(closeServers)

describe('quick-check', () => {
  test('it runs the check until that has found nothing to do, and then only if something has changed', async () => {
    writeFileSync(at('note'), 'one')
    checkIs([`file\t${at('note')}`])
    await settle()
    const { exitCode, stdout } = await quickCheck()
    assert.deepEqual([exitCode, stdout], [0, 'no problem was found'])
    writeFileSync(at('note'), 'two')
    assert.equal((await quickCheck()).ran, true)
    assert.equal((await quickCheck()).ran, false)
  })

  test('what the check says is said, and a check with problems is repeated', async () => {
    checkIs(null, { code: 1 })
    for (let time = 0; time < 3; time += 1) {
      const { exitCode, stdout, ran } = await quickCheck()
      assert.deepEqual([exitCode, stdout, ran], [1, 'said', true])
    }
  })

  test('a check that is killed is no success', async () => {
    checkIs(null, { meanwhile: 'kill -KILL $$' })
    assert.equal((await quickCheck()).exitCode, 2)
  })

  test('what changes while the check runs is looked at again', async () => {
    writeFileSync(at('note'), 'one')
    checkIs([`file\t${at('note')}`], { meanwhile: 'echo more >> note' })
    for (let time = 0; time < 4; time += 1) assert.equal((await quickCheck()).ran, true)
  })

  test('other questions than before are asked first', async () => {
    checkIs([`file\t${at('note')}`])
    await settle()
    writeFileSync(at('note'), 'three')
    checkIs([`file\t${at('other')}`])
    assert.equal((await quickCheck()).ran, true)
    assert.equal((await quickCheck()).ran, true)
    assert.equal((await quickCheck()).ran, false)
  })

  test('the answers are not trusted for ever', async () => {
    checkIs([`file\t${at('note')}`])
    await settle()
    const answers = readFileSync(at('check/answers'), 'utf8')
    const uptime = Number.parseInt(answers, 10)
    writeFileSync(at('check/answers'), answers.replace(String(uptime), String(uptime - 601)))
    assert.equal((await quickCheck()).ran, true)
  })

  test('it leaves a heartbeat', async () => {
    checkIs(null)
    await quickCheck()
    const beat = Number(readFileSync(at('check/heartbeat'), 'utf8'))
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
    assert.ok(beat <= uptime && beat > uptime - 10, `${beat} at ${uptime}`)
  })
})

describe('what quick-check asks', () => {
  /** Asks until nothing changes, and once more after a change. */
  async function sees(question: string, change: () => unknown, expected = true): Promise<void> {
    checkIs([question])
    await settle()
    await change()
    assert.equal((await quickCheck()).ran, expected)
  }

  test('Consul: the answer without its headers, and what is written', async () => {
    let text = '"one"'
    const { listener, seen } = answering(() => ({ text }))
    consulPort = await listen(listener)
    await sees('consul\tPUT\t/v1/kv/written\t{"at":"NOW"}', () => {
      text = '"two"'
    })
    const [last] = seen.slice(-1)
    assert.deepEqual([last?.method, last?.url], ['PUT', '/v1/kv/written'])
    const { at: time } = JSON.parse(last?.text ?? '') as { at: string }
    assert.equal(new Date(time).toISOString(), time)
    assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000, time)
  })

  test('Consul: what of its answer does not count', async () => {
    const entries = (lock: string, confirmed: string): string =>
      `[{"Key":"a/postgresql/confirmed","Value":"${confirmed}"},{"Key":"a/postgresql/leader","Value":"${lock}"}]`
    let text = entries('n1', '1')
    consulPort = await listen(answering(() => ({ text })).listener)
    const question = 'consul\tGET\t/v1/kv/a?recurse\t\t[{][^{}]*/confirmed"[^{}]*[}]'
    const change = (): void => {
      text = entries('n1', '2')
    }
    await sees(question, change, false)
    text = entries('n2', '2')
    assert.equal((await quickCheck()).ran, true)
  })

  test('Consul: another status', async () => {
    let status = 200
    consulPort = await listen(answering(() => ({ status })).listener)
    await sees('consul\tGET\t/v1/kv/note\t', () => {
      status = 404
    })
  })

  test('Consul that does not answer', async () => {
    consulPort = await listen(answering(() => ({})).listener)
    await sees('consul\tGET\t/v1/kv/note\t', closeServers)
  })

  for (const [caption, text, expected] of [
    ['what counts', '{"myID": "B", "alloc": 1}', true],
    ['what does not', '{"myID": "A", "alloc": 2}', false],
  ] as const)
    test(`Syncthing, with its key: ${caption}`, async () => {
      writeFileSync(at('syncthing.key'), 'secret\n')
      let now = '{"myID": "A", "alloc": 1}'
      const { listener, seen } = answering(() => ({ text: now }))
      syncthingPort = await listen(listener)
      const change = (): void => {
        now = text
      }
      await sees('syncthing\tGET\t/rest/system/status\t\t"myID": *"[^"]*"', change, expected)
      assert.equal(seen[0]?.headers['x-api-key'], 'secret')
    })

  const ready = message('Z', Buffer.from('I'))
  const welcome = Buffer.concat([message('R', Buffer.alloc(4)), ready])
  const socket = at('.s.PGSQL.5433')
  /** Names and values that the last session began with. */
  let started: string[] = []
  /** @param rows the answer to every statement. */
  const databaseThat = async (log: Buffer, rows: () => Buffer): Promise<Server> => {
    const server = createServer((client) => {
      client.on('error', () => {})
      client.once('data', (startup) => {
        started = startup.toString('latin1', 8).split('\0')
        client.write(log)
        client.on('data', () => client.write(Buffer.concat([rows(), ready])))
      })
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    return server
  }
  const fields = `${directory}\t5433\tmonitor\tpostgres`

  test('a database: the rows of a statement', async () => {
    let row = 'one'
    const server = await databaseThat(welcome, () => message('D', Buffer.from(row)))
    const change = (): void => {
      row = 'two'
    }
    await sees(`database\t${fields}\nsql\t${fields}\tselect 1`, change)
    server.close()
  })

  /** As PostgreSQL describes and sends rows: the names of text columns, and a row of them. */
  const row = (...values: readonly (string | null)[]): Buffer => {
    const fields = values.map((value) => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(value === null ? -1 : value.length)
      return Buffer.concat([length, Buffer.from(value ?? '')])
    })
    return message('D', Buffer.concat([Buffer.from([0, values.length]), ...fields]))
  }
  const columns = (...names: readonly string[]): Buffer =>
    message(
      'T',
      Buffer.concat([
        Buffer.from([0, names.length]),
        ...names.map((name) => Buffer.concat([Buffer.from(`${name}\0`), Buffer.alloc(18)])),
      ]),
    )

  for (const [caption, answer, expected] of [
    ['another number of clients', [row('app', null, 'b', '2')], false],
    ['the same twice', [row('app', null, 'b', '1'), row('app', null, 'b', '3')], false],
    ['another host', [row('app', null, 'c', '1')], true],
    ['one more', [row('app', null, 'b', '1'), row('app', null, 'c', '1')], true],
    ['none', [], true],
  ] as const)
    test(`a database: only some columns count: ${caption}`, async () => {
      let rows: readonly Buffer[] = [row('app', null, 'b', '1')]
      const names = columns('name', 'user', 'host', 'clients')
      const server = await databaseThat(welcome, () => Buffer.concat([names, ...rows]))
      const change = (): void => {
        rows = answer
      }
      await sees(`database\t${fields}\nsql\t${fields}\tSHOW DATABASES\tname host`, change, expected)
      server.close()
    })

  describe('a database that is written to', () => {
    const transaction = JSON.stringify([{ KV: { Verb: 'set', Key: 'a', Value: 'VALUE' } }])
    const sentWith = (value: string): string => `PUT /v1/txn ${transaction.replace('VALUE', value)}`

    /** What Consul is sent, where the database answers with these rows one after the other. @param status Consul's. */
    async function recordedOf(
      answers: readonly (readonly Buffer[])[],
      status = 200,
    ): Promise<{ sent: string[]; ran: boolean[] }> {
      rmSync(at('check/recorded'), { force: true })
      const { listener, seen } = answering(() => ({ status, text: '{}' }))
      consulPort = await listen(listener)
      let rows: readonly Buffer[] = []
      const server = await databaseThat(welcome, () => Buffer.concat(rows))
      checkIs([`database\t${fields}`, `record\t${fields}\tselect 1\t${transaction}`])
      const ran: boolean[] = []
      await quickCheck()
      for (const answer of answers) {
        rows = answer
        ran.push((await quickCheck()).ran)
      }
      server.close()
      return { sent: seen.map(({ method, url, text }) => `${method} ${url} ${text}`), ran }
    }

    test('each new position is recorded once, and nothing else is different', async () => {
      const answers = ['one', 'one', 'b3RoZXI=', 'b3RoZXI=', 'one'].map((value) => [row(value)])
      const { sent, ran } = await recordedOf(answers)
      assert.deepEqual(sent, ['one', 'b3RoZXI=', 'one'].map(sentWith))
      assert.deepEqual(ran, [true, false, false, false, false])
    })

    test('no position is known: nothing is recorded', async () => {
      const { sent, ran } = await recordedOf([[row(null)], [row(null)]])
      assert.deepEqual([sent, ran], [[], [true, false]])
    })

    test('too few standbys stream: the check looks', async () => {
      const { sent, ran } = await recordedOf([[row('one')], [row('one')], [], []])
      assert.deepEqual([sent, ran], [[sentWith('one')], [true, false, true, true]])
    })

    test('Consul refuses it: the check looks, and it is sent again', async () => {
      const { sent, ran } = await recordedOf([[row('one')], [row('one')]], 409)
      assert.deepEqual([sent, ran], [['one', 'one'].map(sentWith), [true, true]])
    })
  })

  test('a database: its session has the options that the check had, and a console none', async () => {
    const server = await databaseThat(welcome, () => message('D', Buffer.from('one')))
    checkIs([`database\t${fields}\t-c statement_timeout=0`, `sql\t${fields}\tselect 1`])
    await settle()
    assert.deepEqual(started.slice(0, 6), [
      ...['user', 'monitor', 'database', 'postgres', 'options', '-c statement_timeout=0'],
    ])
    checkIs([`database\t${fields}`, `sql\t${fields}\tselect 1`])
    rmSync(at('check/questions'))
    await settle()
    assert.deepEqual(started, ['user', 'monitor', 'database', 'postgres', '', ''])
    server.close()
  })

  for (const [caption, answer] of [
    ['an error', Buffer.concat([errorResponse('ERROR', '57014', 'canceling statement'), ready])],
    ['the end of the session', errorResponse('FATAL', '57P01', 'terminating connection')],
  ] as const)
    test(`a database: ${caption} is no answer to a statement, so the check runs again and again`, async (t) => {
      const server = createServer((client) => {
        client.on('error', () => {})
        client.once('data', () => {
          client.write(welcome)
          client.on('data', () => (answer.includes(ready) ? client.write(answer) : client.end(answer)))
        })
      })
      t.after(() => server.close())
      await new Promise<void>((resolve) => server.listen(socket, resolve))
      checkIs([`database\t${fields}`, `sql\t${fields}\tselect 1`])
      for (let time = 0; time < 4; time += 1) assert.equal((await quickCheck()).ran, true)
    })

  test('a database whose defaults would keep an answer from us, also a standby', async () => {
    const [release] = releases.slice(-1)
    const primary = await TestServer.start(release?.bin ?? '')
    try {
      await primary.ask('create role understudy_monitor login in role pg_monitor')
      await primary.ask('alter role understudy_monitor set default_transaction_isolation = serializable')
      const standby = await primary.standby('n2')
      try {
        const target = { ...standby.target, user: 'understudy_monitor' }
        await withDatabase(target, 5000, (connection) => connection.query('select 1'))
        checkIs(
          (keptQuestions() ?? '').split('\n').filter((question) => question.includes(standby.directory)),
        )
        // The standby writes for a moment after its start.
        await waitFor('it to rest', 20_000, async () => !(await quickCheck()).ran || null)
        await primary.ask('alter role understudy_monitor set work_mem = 64')
        await waitFor('the change to be seen', 20_000, async () => (await quickCheck()).ran || null)
      } finally {
        await standby.remove()
      }
    } finally {
      await primary.remove()
    }
  })

  test('a database: whether it answers, and with which error', async () => {
    let server = await databaseThat(welcome, () => ready)
    await sees(`database\t${fields}`, async () => {
      server.close()
      server = await databaseThat(errorResponse('FATAL', '3D000', 'does not exist'), () => ready)
    })
    server.close()
  })

  test('a database: its login is one that database-check need not try', async () => {
    const name = 'understudy_monitor'
    const monitor = fields.replace(/^(\S+\t\S+\t)\S+/, `$1${name}`)
    const [log, login] = [at('log'), at('check/login')]
    writeFileSync(log, 'one\n')
    writeFileSync(login, `${log} 1 2 7 8`)
    const server = await databaseThat(welcome, () => ready)
    checkIs([`database\t${monitor}`])
    await settle()
    server.close()
    const [path, since, ...rest] = readFileSync(login, 'utf8').split(' ')
    assert.deepEqual([path, ...rest], [log, '4', '7', '8'])
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
    assert.ok(Number(since) > uptime - 60, `${since} at ${uptime}`)
    rmSync(login)
    await quickCheck()
    assert.equal(existsSync(login), false)
  })

  test('a database that hangs', async () => {
    let hangs = false
    const server = await databaseThat(welcome, () =>
      hangs ? Buffer.alloc(0) : message('D', Buffer.from('a')),
    )
    server.on('connection', (client) => hangs && client.removeAllListeners('data'))
    await sees(`database\t${fields}\nsql\t${fields}\tselect 1`, () => {
      hangs = true
    })
    server.close()
  })

  test('a unit: until it is started again, or ends', async () => {
    const link = at('units/invocation:lamp.service')
    symlinkSync('abc', link)
    await sees('unit\tlamp.service', () => {
      rmSync(link)
      symlinkSync('def', link)
    })
    assert.equal((await quickCheck()).ran, false)
    rmSync(link)
    assert.equal((await quickCheck()).ran, true)
  })

  test('a process: whether it is stopped', async () => {
    const child = spawn('/bin/sleep', ['60'])
    await sees(`process\t${child.pid}`, () => child.kill('SIGSTOP'))
    child.kill('SIGKILL')
  })

  test('a file: what of it counts', async () => {
    writeFileSync(at('report'), '{"at":"1","problems":[]}')
    const question = `file\t${at('report')}\t"at":[^,}]*`
    await sees(question, () => writeFileSync(at('report'), '{"at":"2","problems":[]}'), false)
    writeFileSync(at('report'), '{"at":"2","problems":["one"]}')
    assert.equal((await quickCheck()).ran, true)
  })

  test('a file that is old: a unit is started, and nothing else is different', async () => {
    systemctlNotes()
    writeFileSync(at('report'), '')
    const old = Date.now() / 1000 - 61
    await sees(`renew\t${at('report')}\t60\tlamp.service`, () => utimesSync(at('report'), old, old), false)
    assert.equal(readFileSync(at('started'), 'utf8'), 'start --no-block lamp.service\n')
  })

  test('an address', async () => {
    checkIs(['addresses'])
    await settle()
    assert.match(readFileSync(at('check/answers'), 'utf8'), /^\d+\naddresses\n.*127\.0\.0\.1/)
  })
})
