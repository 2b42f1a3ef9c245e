/** The check that the lock of the primary hangs on, with the programs that it asks in the place of the real ones. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
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
/** Shorter than in earnest. */
const APART_S = 0.5
const here = (name: string): string =>
  readFileSync(join(repository, 'packaging', name), 'utf8')
    // So that it asks the program stat, which this test has made.
    .replace('62 => 137, 183 => 43', '')
    .replace('$APART_S = 1.5', `$APART_S = ${APART_S}`)
    .replaceAll('/run/understudy', directory)
    .replaceAll('/var/run/postgresql', directory)
    .replaceAll('/var/log/postgresql', directory)
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

/** Longer than a login is trusted, in seconds. */
const LATER = 16
const POSTMASTER = `$| = 1;
sub begin { my $id = fork; unless ($id) { $0 = 'postgres: 17/main: checkpointer'; sleep 60; exit } return $id }
my $id = begin(); print "$id\\n"; $SIG{USR1} = sub { kill 9, $id; waitpid $id, 0; $id = begin() };
sleep 60 while 1;`
/** Listens at the port of the test, and accepts nobody. */
const LISTENER = `$| = 1; socket my $s, 2, 1, 0; setsockopt $s, 1, 2, 1; bind $s, pack 'S n C4 x8', 2, 5433, 127, 0, 0, 1 or die $!;
listen $s, 5; print "listens\\n"; sleep 60;`

async function killAndWait(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

describe('database-check, after a login', () => {
  let postmaster: ChildProcess
  const note = join(directory, 'check/login')
  const log = join(directory, 'postgresql-17-main.log')

  beforeEach(async () => {
    rmSync(note, { force: true })
    // A process with a child of this name, which it starts anew when it is told to.
    postmaster = spawn('/usr/bin/perl', ['-e', POSTMASTER], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    await once(postmaster.stdout as Readable, 'data')
    writeFileSync(join(directory, '17-main.pid'), `${postmaster.pid}\n`)
    writeFileSync(log, 'one\n')
    await check({})
    assert.equal(said.length, 1)
  })
  afterEach(() => {
    process.kill(-(postmaster.pid ?? 0), 'SIGKILL')
    rmSync(join(directory, '17-main.pid'))
  })

  test('no other is tried while its processes are the same and sleep', async () => {
    for (let time = 0; time < 3; time += 1) {
      assert.equal((await check({ answers: ['down'] })).exitCode, PASSING)
    }
  })

  test('one run looks three times, and notices what happens between', async () => {
    const begun = performance.now()
    await check({ answers: ['down'] })
    const took = performance.now() - begun
    assert.ok(took > 2 * APART_S * 1000, `${took} ms`)
    const run = check({ answers: ['down'] })
    await new Promise((resolve) => setTimeout(resolve, APART_S * 500))
    writeFileSync(log, 'one\ntwo\n')
    assert.equal((await run).exitCode, CRITICAL)
  })

  test('after a problem the first look that finds nothing is reported at once', async () => {
    assert.equal((await check({ blocks: 8191 })).exitCode, CRITICAL)
    const begun = performance.now()
    assert.equal((await check({})).exitCode, PASSING)
    assert.equal(said.length, 1)
    const took = performance.now() - begun
    assert.ok(took < 2 * APART_S * 1000, `${took} ms`)
  })

  test('but the disk is looked at', async () => {
    const ended = await check({ answers: ['down'], blocks: 8191 })
    assert.match(ended.stdout, /is full$/)
  })

  const changes: readonly (readonly [caption: string, change: () => unknown])[] = [
    ['the postmaster is frozen', () => postmaster.kill('SIGSTOP')],
    [
      'the postmaster is another one',
      () => writeFileSync(join(directory, '17-main.pid'), `${process.pid}\n`),
    ],
    ['the postmaster has died', () => killAndWait(postmaster)],
    ['the checkpointer has died, as after a crash', () => postmaster.kill('SIGUSR1')],
    ['the server has logged something, as that it shuts down', () => writeFileSync(log, 'one\ntwo\n')],
    [
      'the login is old',
      () => {
        const [path, since, ...rest] = readFileSync(note, 'utf8').split(' ')
        writeFileSync(note, [path, Number(since) - LATER, ...rest].join(' '))
      },
    ],
    ['nothing is known of one', () => rmSync(note)],
  ]
  for (const [caption, change] of changes)
    test(`one is tried where ${caption}`, async () => {
      await change()
      const tried = async (answers: Machine['answers']): Promise<Ended> => check({ answers })
      // Signals need a moment.
      await waitFor('a login', 5000, async () => (await tried(['down'])).exitCode === CRITICAL || null)
    })

  test('one is tried where somebody waits to be accepted', async () => {
    const holder = spawn('/usr/bin/perl', ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout as Readable, 'data')
    const client = connect(5433, '127.0.0.1')
    await once(client, 'connect')
    assert.equal((await check({ answers: ['down'] })).exitCode, CRITICAL)
    client.destroy()
    holder.kill('SIGKILL')
  })
})
