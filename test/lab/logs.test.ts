/** The logs of a machine that is gone, read on the others. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { logsPaths, logsUnits } from '../../lib/logs/manifest.ts'
import { sqlAsPostgres, untilHealthy } from './lib/cluster.ts'
import type { ExecResult } from './lib/exec.ts'
import type { Lab } from './lib/lab.ts'
import { ownCluster } from './lib/own-cluster.ts'

const all = ['n1', 'n2', 'n3'] as const
/** From a line on one machine to the same line on another, with busy processors. */
const COPIED_MS = 15_000
/** A connection that has died is noticed by the periodic check, and TCP waits for two minutes at most. */
const CAUGHT_UP_MS = 180_000
let lab: Lab

ownCluster('logs', (own) => {
  lab = own
})

const logs = (machine: string, ...args: string[]): Promise<ExecResult> =>
  lab.exec(machine, ['understudy', 'logs', ...args], { reject: false })
const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script])).stdout.trim()

const say = (machine: string, text: string) =>
  lab.exec(machine, ['systemd-cat', '--identifier=hello', 'echo', text])

const untilRead = (reader: string, text: string, timeoutMs: number, ...args: string[]): Promise<true> =>
  waitFor(`${reader} reads ${text}`, timeoutMs, async () => {
    const { stdout } = await logs(reader, '--since=-20min', ...args)
    return stdout.includes(text) || null
  })

test('every machine has what every other one logs; PostgreSQL too', async () => {
  for (const machine of all) await say(machine, `here is ${machine}`)
  for (const reader of all)
    for (const machine of all) await untilRead(reader, `here is ${machine}`, COPIED_MS, '--machine', machine)
  await sqlAsPostgres(lab, 'n1', 'select 1/(select 0) as "a mark"').catch(() => {})
  await untilRead('n2', 'a mark', COPIED_MS, '--machine=n1', `--unit=${logsUnits.postgresql}`)
})

test('the log of a machine that has lost power is there up to at most 1 s before', async () => {
  const [file = '', ...argv] = lab.execCommand('n3', [
    'systemd-cat',
    '--identifier=ticks',
    'sh',
    '-c',
    'while :; do date +%s%3N; sleep 0.01; done',
  ])
  const ticker = spawn(file, argv, { stdio: 'ignore' })
  await untilRead('n1', 'ticks', COPIED_MS, '--machine=n3')
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const { killedAt } = await lab.poweroff('n3')
  ticker.kill()
  for (const reader of ['n1', 'n2']) {
    const { stdout } = await logs(reader, '--machine=n3', '--lines=300', '--json')
    const ticks = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { SYSLOG_IDENTIFIER?: string; MESSAGE: string })
      .filter((line) => line.SYSLOG_IDENTIFIER === 'ticks')
      .map((line) => Number(line.MESSAGE))
    const behindMs = killedAt - Math.max(...ticks)
    console.log(`${reader} has the log of n3 up to ${Math.round(behindMs)} ms before the power cut`)
    assert.ok(behindMs < 1000, `${behindMs} ms`)
  }
  await lab.poweron('n3')
  await untilHealthy(lab, 'n1')
})

test('a peer that is away, and one whose receiver refuses, catch up by themselves', async () => {
  await lab.cut('n3')
  await sh('n2', `systemctl stop ${logsUnits.receiver}`)
  for (let number = 1; number <= 20; number++) {
    await say('n1', `unheard ${number}`)
    await new Promise((resolve) => setTimeout(resolve, 3000))
  }
  await sh('n2', `systemctl start ${logsUnits.receiver}`)
  await lab.heal('n3')
  for (const reader of ['n2', 'n3'])
    for (const number of [1, 20]) await untilRead(reader, `unheard ${number}`, CAUGHT_UP_MS, '--machine=n1')
  await untilHealthy(lab, 'n1')
})

test('a full disk of logs stops the copies, and nothing else; they go on when there is room again', async () => {
  const { received } = logsPaths
  await sh(
    'n2',
    `systemctl stop ${logsUnits.receiver}
    mount -t tmpfs -o size=24m,mode=2750 tmpfs ${received}; chown systemd-journal-remote:systemd-journal ${received}
    dd if=/dev/zero of=${received}/filler bs=1M 2>/dev/null || true
    systemctl start ${logsUnits.receiver}`,
  )
  await say('n1', 'to a full disk')
  await untilRead('n3', 'to a full disk', COPIED_MS, '--machine=n1')
  await untilHealthy(lab, 'n1')
  assert.doesNotMatch((await logs('n2', '--lines=500')).stdout, /to a full disk/)
  await sh('n2', `rm ${received}/filler`)
  await untilRead('n2', 'to a full disk', CAUGHT_UP_MS, '--machine=n1')
  await sh(
    'n2',
    `systemctl stop ${logsUnits.receiver}; umount ${received}; systemctl start ${logsUnits.receiver}`,
  )
})

test('who may read: root and the group systemd-journal; wrong arguments are one sentence', async () => {
  const as = (user: string, ...args: string[]) =>
    lab.exec('n1', ['runuser', '-u', user, '--', 'understudy', 'logs', ...args], { reject: false })
  const refused = await as('nobody')
  assert.equal(refused.exitCode, 78)
  assert.match(refused.stderr, /^understudy logs: this user may not read the journal; /)
  await sh('n1', 'getent passwd reader || useradd --system --groups systemd-journal reader')
  assert.match((await as('reader', '--machine=n2')).stdout, / n2 /)
  const unknown = await logs('n1', '--machine=n9')
  assert.equal(unknown.exitCode, 64)
  assert.equal(unknown.stderr, 'understudy logs: this machine has no log of n9; it has logs of n1, n2, n3')
  const when = await logs('n1', '--since=whenever')
  assert.equal(when.exitCode, 64)
  assert.match(when.stderr, /^understudy logs: --since takes a time such as /)
})
