/** The check that the lock of the primary hangs on, with the programs that it asks in the place of the real ones. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { errorResponse, message } from '../unit/support/wire.ts'
import { type Ended, repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-check-'))
after(() => rmSync(directory, { recursive: true }))
mkdirSync(join(directory, 'check'))

/** What its PostgreSQL answers a client: nothing listens, nothing is answered, or these messages. */
type Answer = 'down' | 'silent' | readonly Buffer[]

interface Machine {
  /** The first look gets the first answer, every other one the last. */
  answers: readonly Answer[]
  /** What systemd says of its unit. */
  state: string
  /** For how long it has been away; null: since the boot. */
  awaySeconds: number | null
  /** Blocks of 4096 bytes that are left on its disk. */
  blocks: number
  /** The periodic check has found that the disk hangs. */
  hangs: boolean
}

const authentication = (code: number): Buffer => message('R', Buffer.from([0, 0, 0, code]))
const READY = [authentication(0), message('S', Buffer.from('a\0b\0')), message('Z', Buffer.from('I'))]
const STARTING = [errorResponse('FATAL', '57P03', 'the database system is starting up')]

const well: Machine = { answers: [READY], state: 'active', awaySeconds: 0, blocks: 1_000_000, hangs: false }

const ARGUMENTS = ['postgresql@17-main.service', '/var/lib/postgresql/17/main', '--port=5433']
const socket = join(directory, '.s.PGSQL.5433')

/** What clients have said in the order in which they came. */
const said: string[] = []

/** Answers each client with the next answer. */
async function listen(answers: readonly Answer[]): Promise<Server> {
  const left = [...answers]
  const server = createServer((client) => {
    const answer = left.length > 1 ? left.shift() : left[0]
    client.on('error', () => {})
    client.once('data', (data) => {
      said.push(data.toString('latin1'))
      if (typeof answer !== 'object') return
      client.write(Buffer.concat(answer))
      // As the server does after a fatal error.
      if (answer.at(-1)?.toString('latin1', 0, 1) === 'E') client.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return server
}

async function check(change: Partial<Machine>): Promise<Ended> {
  const { answers, state, awaySeconds, blocks, hangs } = { ...well, ...change }
  const [uptime = ''] = readFileSync('/proc/uptime', 'utf8').split(' ')
  const left = awaySeconds === null ? 0 : Math.round((Number(uptime) - awaySeconds) * 1e6)
  const programs = {
    systemctl: `printf 'ActiveState=%s\\nActiveExitTimestampMonotonic=%s\\n' ${state} ${left}`,
    stat: hangs ? 'sleep 60' : `echo ${blocks} 4096`,
  }
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(directory, name), 0o755)
  }
  const env = { PATH: `${directory}:/usr/bin:/bin` }
  const marker = join(directory, 'check/disk-hangs')
  if (hangs) writeFileSync(marker, 'no WAL was written\n')
  else rmSync(marker, { force: true })
  said.length = 0
  const server = answers[0] === 'down' ? null : await listen(answers)
  try {
    return await run('/usr/bin/perl', [script, ...ARGUMENTS], { env })
  } finally {
    server?.close()
  }
}

const script = join(directory, 'database-check')
const here = (name: string): string =>
  readFileSync(join(repository, 'packaging', name), 'utf8')
    .replaceAll('/run/understudy', directory)
    .replaceAll('/var/run/postgresql', directory)
    .replaceAll('/usr/lib/understudy', directory)
writeFileSync(script, here('database-check.pl'))
writeFileSync(join(directory, 'ask.pl'), here('ask.pl'))

const PASSING = 0
const WARNING = 1
const CRITICAL = 2
const ACCEPTS = 'PostgreSQL accepts connections'
const AWAY = 'PostgreSQL does not accept connections'

const cases: readonly (readonly [
  caption: string,
  change: Partial<Machine>,
  exitCode: number,
  stdout: string,
])[] = [
  ['all is well', {}, PASSING, ACCEPTS],
  ['it does not answer', { answers: ['down'] }, CRITICAL, AWAY],
  ['it accepts no connection while it recovers', { answers: [STARTING] }, CRITICAL, AWAY],
  ['it has recovered when it is asked again', { answers: [STARTING, READY] }, PASSING, ACCEPTS],
  ['it is frozen', { answers: ['silent'] }, CRITICAL, AWAY],
  ['it was only busy', { answers: ['silent', READY] }, PASSING, ACCEPTS],
  ['it asks for a password', { answers: [[authentication(10)]] }, PASSING, ACCEPTS],
  [
    'clients have taken all connections',
    { answers: [[authentication(0), errorResponse('FATAL', '53300', 'sorry, too many clients already')]] },
    PASSING,
    ACCEPTS,
  ],
  ['it was stopped', { answers: ['down'], state: 'inactive', awaySeconds: 1 }, CRITICAL, AWAY],
  ['it failed', { answers: ['down'], state: 'failed', awaySeconds: 1 }, CRITICAL, AWAY],
  [
    'it died a moment ago, and systemd starts it again',
    { answers: ['down'], state: 'activating', awaySeconds: 1 },
    WARNING,
    'PostgreSQL is being restarted',
  ],
  [
    'it is being stopped since a moment ago',
    { answers: ['down'], state: 'deactivating', awaySeconds: 1 },
    WARNING,
    'PostgreSQL is being restarted',
  ],
  [
    'systemd has been starting it for as long as a failover takes',
    { answers: ['down'], state: 'activating', awaySeconds: 7 },
    CRITICAL,
    AWAY,
  ],
  [
    'systemd starts it for the first time after a boot',
    { answers: ['down'], state: 'activating', awaySeconds: null },
    CRITICAL,
    AWAY,
  ],
  ['its disk is full', { blocks: 8191 }, CRITICAL, 'the disk of /var/lib/postgresql/17/main is full'],
  ['its disk hangs', { hangs: true }, CRITICAL, 'the disk of /var/lib/postgresql/17/main hangs'],
  ['its disk has room for two segments of WAL', { blocks: 8192 }, PASSING, ACCEPTS],
]

describe('database-check', () => {
  for (const [caption, change, exitCode, stdout] of cases) {
    test(caption, async () => {
      const ended = await check(change)
      assert.deepEqual([ended.exitCode, ended.stdout, ended.stderr], [exitCode, stdout, ''])
    })
  }

  test('it leaves a heartbeat', async () => {
    const heartbeat = join(directory, 'check/heartbeat')
    for (const before of ['', '1\n']) {
      writeFileSync(heartbeat, before)
      await check({})
      const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
      const beat = Number(readFileSync(heartbeat, 'utf8'))
      assert.ok(beat <= uptime && beat > uptime - 10, `${beat} at ${uptime}`)
    }
  })

  test('it asks as a user that exists, at the port of the cluster', async () => {
    await check({})
    assert.match(said[0] ?? '', /\0user\0understudy_monitor\0database\0postgres\0\0$/)
  })
})
