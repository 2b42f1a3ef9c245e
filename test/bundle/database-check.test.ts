/** The check that the lock of the primary hangs on, with the programs that it asks in the place of the real ones. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type Ended, repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-check-'))
after(() => rmSync(directory, { recursive: true }))
mkdirSync(join(directory, 'check'))

interface Machine {
  /** Does PostgreSQL answer? */
  answers: boolean
  /** What systemd says of its unit. */
  state: string
  /** For how long it has been away; null: since the boot. */
  awaySeconds: number | null
  /** Blocks of 4096 bytes that are left on its disk. */
  blocks: number
  /** The periodic check has found that the disk hangs. */
  hangs: boolean
}

const well: Machine = { answers: true, state: 'active', awaySeconds: 0, blocks: 1_000_000, hangs: false }

const ARGUMENTS = ['postgresql@17-main.service', '/var/lib/postgresql/17/main', '--port=5433']

async function check(change: Partial<Machine>): Promise<Ended> {
  const { answers, state, awaySeconds, blocks, hangs } = { ...well, ...change }
  const [uptime = ''] = readFileSync('/proc/uptime', 'utf8').split(' ')
  const left = awaySeconds === null ? 0 : Math.round((Number(uptime) - awaySeconds) * 1e6)
  const programs = {
    pg_isready: `echo "$*" > ${directory}/asked; exit ${answers ? 0 : 2}`,
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
  const script = readFileSync(join(repository, 'packaging/database-check.sh'), 'utf8')
  const here = script.replaceAll('/run/understudy', directory)
  return run('/bin/sh', ['-c', here, 'database-check', ...ARGUMENTS], { env })
}

const PASSING = 0
const WARNING = 1
const CRITICAL = 2
const AWAY = 'PostgreSQL does not accept connections'

const cases: readonly (readonly [
  caption: string,
  change: Partial<Machine>,
  exitCode: number,
  stdout: string,
])[] = [
  ['all is well', {}, PASSING, 'PostgreSQL accepts connections'],
  ['it does not answer', { answers: false }, CRITICAL, AWAY],
  ['it was stopped', { answers: false, state: 'inactive', awaySeconds: 1 }, CRITICAL, AWAY],
  ['it failed', { answers: false, state: 'failed', awaySeconds: 1 }, CRITICAL, AWAY],
  [
    'it died a moment ago, and systemd starts it again',
    { answers: false, state: 'activating', awaySeconds: 1 },
    WARNING,
    'PostgreSQL is being restarted',
  ],
  [
    'it is being stopped since a moment ago',
    { answers: false, state: 'deactivating', awaySeconds: 1 },
    WARNING,
    'PostgreSQL is being restarted',
  ],
  [
    'systemd has been starting it for as long as a failover takes',
    { answers: false, state: 'activating', awaySeconds: 7 },
    CRITICAL,
    AWAY,
  ],
  [
    'systemd starts it for the first time after a boot',
    { answers: false, state: 'activating', awaySeconds: null },
    CRITICAL,
    AWAY,
  ],
  ['its disk is full', { blocks: 8191 }, CRITICAL, 'the disk of /var/lib/postgresql/17/main is full'],
  ['its disk hangs', { hangs: true }, CRITICAL, 'the disk of /var/lib/postgresql/17/main hangs'],
  ['its disk has room for two segments of WAL', { blocks: 8192 }, PASSING, 'PostgreSQL accepts connections'],
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
    const asked = readFileSync(join(directory, 'asked'), 'utf8')
    assert.match(asked, /--username=understudy_monitor --dbname=postgres --port=5433\n$/)
  })
})
