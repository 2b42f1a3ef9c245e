/**
 * Every handler on a member whose Consul is away: it ends within its deadline with the code that its caller expects, and
 * changes nothing that it may not change without Consul.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, describe, test } from 'node:test'
import { settings } from '../unit/support/settings.ts'
import { logged } from './support/handlers.ts'
import { type Away, cannotRun, Member } from './support/member.ts'

interface Case {
  handler: string
  args?: readonly string[]
  input?: string
  exitCode: number
  /** What the last log line says it did, or the plan on stdout. */
  plan?: string
  stdout?: RegExp
  stderr?: RegExp
  /** The handler's own deadline, as its source has it. */
  deadlineMs: number
  asked?: readonly string[]
  /** The same once more is right as well. */
  asksAgain?: boolean
  /** keepalived's track file, where it is not that of a machine that claims the address. */
  weight?: string
}

const held = '{"Key":"understudy/postgresql/leader","Session":"1f0e"}'
const free = '{"Key":"understudy/postgresql/leader","Value":null}'
const databases = (...states: string[]): string =>
  JSON.stringify(states.map((Status) => ({ Checks: [{ CheckID: 'postgresql', Status }] })))
const passing = databases('passing', 'passing', 'passing')
const restarting = databases('passing', 'warning', 'passing')
const failed = databases('critical', 'warning', 'passing')
const failover = 'start --no-block understudy-failover.service'
const fence = 'start --no-block understudy-fence.service'
const upgrade = 'start --no-block understudy-upgrade.service'
const withdraw = 'start --no-block understudy-withdraw.service'
const notify = (state: string) => ['INSTANCE', 'understudy', state, '150']

const cases: readonly Case[] = [
  { handler: 'pooler', exitCode: 0, plan: 'nothing', deadlineMs: 20_000 },
  {
    handler: 'pooler',
    args: ['--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"nothing",.*\}$/,
    deadlineMs: 20_000,
  },
  { handler: 'virtual-ip-weight', weight: '0\n', exitCode: 0, plan: 'nothing', deadlineMs: 20_000 },
  { handler: 'virtual-ip-peers', exitCode: 0, plan: 'nothing', deadlineMs: 20_000 },
  { handler: 'virtual-ip-command', exitCode: 0, plan: 'nothing', deadlineMs: 20_000 },
  { handler: 'service-tag', exitCode: 0, plan: 'nothing', deadlineMs: 20_000 },
  { handler: 'follow', exitCode: 0, plan: 'nothing', deadlineMs: 20_000 },
  { handler: 'services', exitCode: 0, plan: 'nothing', deadlineMs: 10_000 },
  {
    handler: 'services',
    args: ['--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"nothing","why":"the cluster has no services",.*\}$/,
    deadlineMs: 10_000,
  },
  // A cluster that has never had a service.
  { handler: 'services-changed', input: 'null', exitCode: 0, deadlineMs: 1000 },
  ...['{"Key":"understudy/services"}', ''].map(
    (input): Case => ({
      handler: 'services-changed',
      input,
      exitCode: 0,
      asked: ['start understudy-services.service', 'start understudy-services.service'],
      deadlineMs: 2000,
    }),
  ),
  ...['MASTER', 'BACKUP', 'FAULT', 'STOP'].map((state): Case => {
    return {
      handler: 'virtual-ip-state',
      args: notify(state),
      exitCode: 0,
      plan: 'nothing',
      deadlineMs: 10_000,
    }
  }),
  // As the periodic check calls it.
  { handler: 'virtual-ip-state', exitCode: 0, plan: 'nothing', deadlineMs: 10_000 },
  { handler: 'rejoin', exitCode: 75, deadlineMs: 20_000 },
  { handler: 'rejoin', args: ['--dry-run'], exitCode: 0, stdout: /^\{"do":"wait",.*\}$/, deadlineMs: 20_000 },
  { handler: 'repmgr-event', args: ['1', 'standby_follow', '1', '', ''], exitCode: 0, deadlineMs: 10_000 },
  {
    handler: 'failover',
    args: ['--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"wait",.*\}$/,
    deadlineMs: 45_000,
  },
  { handler: 'failover', args: ['--must-promote'], exitCode: 75, deadlineMs: 45_000 },
  { handler: 'failover-validate', args: ['1'], exitCode: 1, stdout: /^refused$/, deadlineMs: 10_000 },
  {
    handler: 'failover-validate',
    args: ['1', '--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"wait",.*\}$/,
    deadlineMs: 10_000,
  },
  // Another machine's id: that one validates for itself.
  { handler: 'failover-validate', args: ['2'], exitCode: 1, stdout: /^refused$/, deadlineMs: 10_000 },
  {
    handler: 'start-gate',
    args: ['17-main'],
    exitCode: 75,
    plan: 'wait',
    asked: [withdraw],
    deadlineMs: 25_000,
  },
  {
    handler: 'start-gate',
    args: ['17-main', '--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"wait",.*\}$/,
    deadlineMs: 25_000,
  },
  { handler: 'start-gate', args: ['17-other'], exitCode: 0, deadlineMs: 1000 },
  { handler: 'start-gate', args: ['15-main'], exitCode: 0, deadlineMs: 1000 },
  { handler: 'lead-changed', weight: '0\n', exitCode: 0, plan: 'nothing', deadlineMs: 25_000 },
  {
    handler: 'lead-changed',
    args: ['--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"follow",.*\}$/,
    deadlineMs: 25_000,
  },
  { handler: 'leader-released', input: held, exitCode: 0, deadlineMs: 1000 },
  // What the watch said is enough to look again: the failover unit decides for itself.
  ...[free, 'null', 'nonsense', ''].map(
    (input): Case => ({
      handler: 'leader-released',
      weight: '0\n',
      input,
      exitCode: 0,
      plan: 'nothing',
      asked: [failover, failover],
      deadlineMs: 30_000,
    }),
  ),
  ...[free, 'null', 'nonsense', ''].map(
    (input): Case => ({
      handler: 'leader-released',
      args: ['--early'],
      input,
      exitCode: 0,
      asked: [failover],
      deadlineMs: 1000,
    }),
  ),
  { handler: 'leader-released', args: ['--early'], input: held, exitCode: 0, deadlineMs: 1000 },
  { handler: 'database-changed', input: restarting, exitCode: 0, deadlineMs: 1000 },
  ...[passing, failed, 'nonsense', ''].map(
    (input): Case => ({
      handler: 'database-changed',
      input,
      exitCode: 0,
      asked: [failover],
      deadlineMs: 1000,
    }),
  ),
  { handler: 'fence', exitCode: 0, plan: 'withdraw', asked: [withdraw], deadlineMs: 5000 },
  {
    handler: 'fence',
    args: ['--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"withdraw",.*\}$/,
    deadlineMs: 5000,
  },
  {
    handler: 'repmgr-event',
    args: ['1', 'standby_follow', '1', '', '', '--dry-run'],
    exitCode: 0,
    stdout: /^\{"do":"record",.*\}$/,
    deadlineMs: 10_000,
  },
  {
    handler: 'check',
    exitCode: 1,
    // Consul keeps this as the output of its check, and writes it to its catalogue when it changes.
    stderr: /^$/,
    stdout:
      /^Consul does not answer, failover is suspended\nthese units do not run: understudy-repmgrd.*; see systemctl status\nthis machine is configured by an earlier build, .*$/,
    // It looks again once, unless a busy host has kept the first look waiting.
    asked: [fence, upgrade],
    asksAgain: true,
    deadlineMs: 12_000,
  },
  {
    handler: 'check',
    args: ['--dry-run'],
    exitCode: 0,
    stdout:
      /"why":"Consul does not answer, failover is suspended; these units do not run: understudy-repmgrd/,
    deadlineMs: 12_000,
  },
]

const members: Member[] = []
after(() => {
  for (const member of members) member.remove()
})

function memberWith(options: ConstructorParameters<typeof Member>[0]): Member {
  const member = new Member(options)
  members.push(member)
  return member
}

const skip = cannotRun
// They wait for most of their time.
const concurrency = 6

describe('no Consul', { skip, concurrency }, () => {
  for (const consul of ['refuses', 'silent'] satisfies Away[]) {
    describe(`it ${consul}`, { skip, concurrency }, () => {
      for (const {
        handler,
        args = [],
        input = '',
        exitCode,
        plan,
        stdout,
        stderr,
        deadlineMs,
        asked = [],
        asksAgain = false,
        weight,
      } of cases) {
        test([handler, ...args, input].join(' '), async () => {
          const member = memberWith({ consul })
          if (weight !== undefined) member.write('keepalived/weight', weight)
          const before = member.state()
          const ended = await member.handler(handler, args, { input, timeoutMs: deadlineMs + 5000 })
          assert.equal(ended.exitCode, exitCode, JSON.stringify(ended))
          // Beside the start of Node and the namespaces on a busy machine.
          assert.ok(ended.ms < deadlineMs + 4000, `${ended.ms} ms`)
          assert.match(ended.stdout, stdout ?? /^$/)
          if (stderr !== undefined) assert.match(ended.stderr, stderr)
          const lines = logged(ended.stderr)
          if (plan !== undefined) assert.equal(lines.at(-1)?.['do'], plan, ended.stderr)
          // What is asked at the same moment may come in any order.
          const seen = member.asked()
          const wanted = asksAgain && seen.length > asked.length ? [...asked, ...asked] : [...asked]
          assert.deepEqual(seen.sort(), wanted.sort())
          assert.deepEqual(
            member.state().filter((line) => !/^run (asked|understudy\/lock\/lead-changed) /.test(line)),
            before,
          )
        })
      }

      test('virtual-ip-weight where no primary runs: the claim goes, but not at once', async () => {
        const member = memberWith({ consul })
        const ended = await member.handler('virtual-ip-weight')
        assert.equal(ended.exitCode, 0, ended.stderr)
        assert.equal(member.read('keepalived/weight'), '-254\n')
        assert.ok(ended.ms >= 4000 && ended.ms < 12_000, `${ended.ms} ms`)
      })

      test('virtual-ip-weight with no file: no weight', async () => {
        const member = memberWith({ consul })
        member.drop('keepalived/weight')
        assert.equal((await member.handler('virtual-ip-weight')).exitCode, 0)
        assert.equal(member.read('keepalived/weight'), '-254\n')
      })

      test('a fenced machine: no claim to the address, and clients are held back', async () => {
        const member = memberWith({ consul })
        member.write('database/fenced', 'cut off\n')
        assert.equal((await member.handler('virtual-ip-weight')).exitCode, 0)
        assert.equal(member.read('keepalived/weight'), '-254\n')
        assert.equal((await member.handler('pooler')).exitCode, 0)
        assert.match(member.read('pgbouncer/databases.ini'), /^app = host=127\.0\.0\.1 port=1 /m)
      })

      test('rejoin after a failure: not before it is due, and then it does not count as another one', async () => {
        const member = memberWith({ consul })
        const failed = (ageMs: number): string => {
          const last = new Date(Date.now() - ageMs).toISOString()
          return JSON.stringify({ count: 3, since: last, last, reason: 'a test' })
        }
        member.write('database/rejoin-failed.json', failed(0))
        const early = await member.handler('rejoin')
        assert.deepEqual([early.exitCode, logged(early.stderr).at(-1)?.['do']], [75, 'wait'])
        const longAgo = failed(3_600_000)
        member.write('database/rejoin-failed.json', longAgo)
        const due = await member.handler('rejoin')
        assert.deepEqual([due.exitCode, logged(due.stderr).at(-1)?.['do']], [75, 'wait'])
        assert.equal(member.read('database/rejoin-failed.json'), longAgo)
      })

      test('pgbouncer with no file: it leads nowhere', async () => {
        const member = memberWith({ consul })
        member.drop('pgbouncer/databases.ini')
        assert.equal((await member.handler('pooler')).exitCode, 0)
        assert.equal(
          member.read('pgbouncer/databases.ini'),
          '[databases]\napp = host=127.0.0.1 port=1 dbname=app\n',
        )
      })
    })
  }
})

describe('bad input', { skip, concurrency }, () => {
  const documents: readonly (readonly [what: string, text: string])[] = [
    ['half a document', '{ "schema": 1,'],
    ['nothing', ''],
    ['a document of a newer version', JSON.stringify({ ...settings, schema: 2 })],
    ['a name where an address should be', JSON.stringify({ ...settings, address: 'n1' })],
  ]
  const calls: readonly (readonly [handler: string, ...args: string[]])[] = [
    ['check'],
    ['failover'],
    ['failover-validate', '1'],
    ['fence'],
    ['follow'],
    ['virtual-ip-state', ...notify('MASTER')],
    ['lead-changed'],
    ['pooler'],
    ['rejoin'],
    ['repmgr-event', '1', 'standby_follow', '1', '', ''],
    ['service-tag'],
    ['start-gate', '17-main'],
    ['virtual-ip-weight'],
    ['virtual-ip-peers'],
    ['virtual-ip-command'],
  ]
  for (const [index, [handler, ...args]] of calls.entries()) {
    const [what, text] = documents[index % documents.length] ?? ['', '']
    test(`${handler}: node.json holds ${what}`, async () => {
      const member = memberWith({ node: text })
      const before = member.state()
      const { exitCode, stdout, stderr } = await member.handler(handler, args, { input: 'null' })
      assert.deepEqual({ exitCode, stdout }, { exitCode: 65, stdout: '' }, stderr)
      const [line, ...more] = logged(stderr)
      assert.deepEqual(more, [])
      assert.match(
        String(line?.['error']),
        /^\/etc\/understudy\/node\.json does not hold this machine's settings/,
      )
      assert.deepEqual(member.state(), before)
    })
  }
})

describe('signals', { skip, concurrency }, () => {
  // repmgrd takes the death of its command by a signal for success.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`failover --must-promote ends with 75 at ${signal}`, async () => {
      const [file = '', ...args] = memberWith({}).command([
        '/usr/lib/understudy/handlers/failover',
        '--must-promote',
      ])
      const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: {} })
      const ended = new Promise((resolve) => child.once('exit', (...how) => resolve(how)))
      // Its first log line: it has looked and waits.
      child.stderr.once('data', () => child.kill(signal))
      assert.deepEqual(await ended, [75, null])
    })
  }
})
