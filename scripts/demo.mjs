#!/usr/bin/env tsx
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
// npm run demo: three real machines become one cluster, and it survives the loss of its primary. Exit 0 only if
// everything that it prints was observed.
import { UNKNOWN } from '#lib/core/unknown'
import { components } from '../lib/components.ts'
import { wantedBy } from '../lib/core/component.ts'
import { explain } from '../lib/core/errors.ts'
import { waitFor } from '../lib/core/wait.ts'
import { sectionsOf } from '../lib/status/sections.ts'
import { tableLines } from '../lib/status/table.ts'
import { BROKER_PACKAGES, drain, loginOf, publish } from '../test/lab/lib/broker.ts'
import {
  appPassword,
  holdersOf,
  mustJoin,
  packageFile,
  poolerTarget,
  sqlAsPostgres,
  sqlOnLocalhost,
  sqlThroughVirtualIp,
  untilHealthy,
  VIRTUAL_IP,
} from '../test/lab/lib/cluster.ts'
import { files, RESOURCES, untilInSync } from '../test/lab/lib/files.ts'
import { Lab } from '../test/lab/lib/lab.ts'
import { CREATE_TABLE, Writer } from '../test/lab/lib/writer.ts'

const help = `npm run demo [-- --keep] [-- --suite trixie|bookworm] [-- --consul debian|hashicorp]

Starts a lab of three machines, makes them one cluster, uploads a file to the primary, fills a queue, cuts its power while a
client writes, reads its log elsewhere, and powers it on again. It takes about three minutes, and longer the first time,
because it builds the image of the machines.

  --keep    leaves the lab up at the end: npm run lab -- status --lab demo
  --suite   chooses the Debian release of the machines (trixie)
  --consul  chooses whose package Consul is laid out as (debian)
`

const LAB = 'demo'
/** What the demo promises: from the power cut to the first acknowledged write. */
const OUTAGE_MS = 10_000
const UPLOAD = `${RESOURCES}/blueprint.bin`
const UPLOAD_BYTES = 5_000_000
const MESSAGES = 1000
/** What may be missing of a log. */
const LOG_MS = 1000
/** A line is on the other machines after some tenths of a second. */
const LOGGED_MS = 20_000
const TICKS = 'while :; do date +%s%3N; sleep 0.05; done'

const { values: options } = parse()
const started = performance.now()
/** @type {[string, number][]} */
const timeline = []
let lab = /** @type {Lab | null} */ (null)

function parse() {
  try {
    return parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        suite: { type: 'string', default: 'trixie' },
        consul: { type: 'string', default: 'debian' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    process.stderr.write(`demo: ${explain(error).split('. ')[0]}; see npm run demo -- --help\n`)
    process.exit(64)
  }
}

const QUEUES = 'clustered'
const sections = await sectionsOf(wantedBy({ virtualIp: VIRTUAL_IP, rabbitmq: QUEUES }, components))

const say = (/** @type {string} */ text) => console.log(text)

/**
 * One stage: says what it does, how long it took and what was seen.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @param {(seen: T) => string} [seen]
 */
async function stage(title, work, seen = () => '') {
  const since = performance.now()
  if (process.stdout.isTTY) process.stdout.write(`${title} ...`)
  const result = await work()
  const ms = performance.now() - since
  timeline.push([title, ms])
  const what = seen(result)
  say(
    `${process.stdout.isTTY ? '\r\x1b[K' : ''}${chalk.green('ok')} ${title}${what ? `: ${what}` : ''} ${chalk.dim(`(${(ms / 1000).toFixed(1)} s)`)}`,
  )
  return result
}

/** @param {boolean} condition @param {string} otherwise */
function expect(condition, otherwise) {
  if (!condition) throw new Error(otherwise)
}

/** When each of these was first seen after the power cut, in milliseconds. */
async function watchFailover(
  /** @type {Lab} */ machines,
  /** @type {string[]} */ survivors,
  /** @type {number} */ cutAt,
) {
  const within = 30_000
  const since = () => Date.now() - cutAt
  const promoted = await waitFor(
    'a standby is promoted',
    within,
    async () => {
      for (const name of survivors)
        if ((await sqlAsPostgres(machines, name, 'select pg_is_in_recovery()')) === 'f')
          return { name, ms: since() }
      return null
    },
    100,
  )
  const address = await waitFor(
    'the virtual IP has moved',
    within,
    async () => {
      const [holder, ...others] = await holdersOf(machines, survivors)
      return holder === promoted.name && others.length === 0 ? { holder, ms: since() } : null
    },
    100,
  )
  const pooler = machines.machines.find(({ name }) => name === promoted.name)?.address
  const followed = await waitFor(
    'every PgBouncer follows',
    within,
    async () => {
      const targets = await Promise.all(survivors.map((name) => poolerTarget(machines, name)))
      return targets.every((target) => target === pooler) ? { ms: since() } : null
    },
    100,
  )
  return { primary: promoted.name, promotedMs: promoted.ms, addressMs: address.ms, followedMs: followed.ms }
}

/**
 * When the last line of n1 that another machine has was written, in milliseconds since the epoch; 0 if it has none.
 * @param {Lab} machines
 * @param {string} reader
 */
async function lastTick(machines, reader) {
  const logs = ['understudy', 'logs', '--machine=n1', '--unit=ticks', '--lines=5', '--json']
  const { stdout } = await machines.exec(reader, logs)
  const lines = stdout.split('\n').filter((line) => line !== '')
  return Math.max(0, ...lines.map((line) => Number(JSON.parse(line).MESSAGE) || 0))
}

async function demo() {
  if (!['trixie', 'bookworm'].includes(options.suite))
    throw new Error(`--suite is trixie or bookworm, not ${options.suite}`)
  if (!['debian', 'hashicorp'].includes(options.consul))
    throw new Error(`--consul is debian or hashicorp, not ${options.consul}`)
  const suite = /** @type {'trixie' | 'bookworm'} */ (options.suite)
  const consul = /** @type {'debian' | 'hashicorp'} */ (options.consul)
  await Lab.remove(LAB)
  const machines = await stage('three machines boot', () =>
    Lab.up({ name: LAB, machines: 3, suite, consul, packages: BROKER_PACKAGES, log: say }),
  )
  lab = machines
  await stage('the package is installed on each', () => machines.installPackage(packageFile()))
  await stage('n1 starts a cluster, with queues', () =>
    mustJoin(machines, 'n1', undefined, ['--rabbitmq', QUEUES]),
  )
  await stage('n2 and n3 join at the same moment', () =>
    Promise.all(['n2', 'n3'].map((name) => mustJoin(machines, name, 'n1'))),
  )
  const before = await stage('the cluster is healthy', () => untilHealthy(machines, 'n1'))
  say(`\n${tableLines(before, sections).join('\n')}\n`)

  const password = await appPassword(machines, 'n1')
  await sqlThroughVirtualIp(machines, password, CREATE_TABLE)
  const writer = await stage(
    `a client writes through ${VIRTUAL_IP}`,
    async () => {
      const client = await Writer.start(machines, password)
      await waitFor('100 writes', 20_000, async () => client.acknowledged.length >= 100 || null)
      return client
    },
    ({ acknowledged }) => `${acknowledged.length} rows`,
  )

  const checksum = await stage(
    'a file of 5 MB is uploaded to n1, and confirmed',
    async () => {
      const argv = [
        'sh',
        '-euc',
        `head -c ${UPLOAD_BYTES} /dev/urandom > /var/tmp/upload; sha256sum < /var/tmp/upload`,
      ]
      const { stdout } = await machines.exec('n1', argv)
      const { exitCode, stderr } = await files(machines, 'n1', ['put', '/var/tmp/upload', UPLOAD])
      expect(exitCode === 0, stderr)
      return stdout.trim()
    },
    () => UPLOAD,
  )

  const login = await loginOf(machines, 'n1')
  await stage(
    'messages are published on n1, and confirmed',
    () => publish(machines, 'n1', login, 'tasks', 0, MESSAGES),
    () => `${MESSAGES} in the queue tasks`,
  )

  const survivors = ['n2', 'n3']
  // A line in the log of n1 every 50 ms, until its power is cut.
  await machines.exec('n1', ['systemd-run', '--quiet', '--unit=ticks', 'sh', '-c', TICKS])
  await waitFor('n2 has a line of n1', LOGGED_MS, async () => (await lastTick(machines, 'n2')) > 0 || null)
  const { killedAt } = await machines.poweroff('n1')
  const rowsBefore = writer.acknowledged.length
  say(chalk.yellow(`-- power cut of n1, the primary; ${rowsBefore} rows were acknowledged before`))
  const [failover, first] = await stage(
    'the cluster recovers',
    () =>
      Promise.all([watchFailover(machines, survivors, killedAt), writer.untilWritten(killedAt + 50, 60_000)]),
    ([{ primary }]) => `${primary} is the primary`,
  )
  await waitFor('100 more writes', 20_000, async () => writer.acknowledged.length >= rowsBefore + 100 || null)
  await writer.stop()
  const outageMs = writer.longestGapMs()

  await stage(
    'every acknowledged row is there, and new rows can be written',
    async () => {
      const wanted = String(writer.acknowledged.length)
      const known = `select count(*) from written where value in (${writer.acknowledged.map(({ value }) => value).join(',')})`
      expect(
        (await sqlThroughVirtualIp(machines, password, known)) === wanted,
        'rows are missing through the virtual IP',
      )
      await sqlThroughVirtualIp(machines, password, 'insert into written (value) values (-1)')
      for (const [index, name] of survivors.entries()) {
        expect(
          (await sqlOnLocalhost(machines, name, known)) === wanted,
          `rows are missing through localhost on ${name}`,
        )
        await sqlOnLocalhost(machines, name, `insert into written (value) values (${-2 - index})`)
      }
    },
    () =>
      `${writer.acknowledged.length} rows, through the virtual IP and through localhost on ${survivors.join(' and ')}`,
  )

  await stage(
    'the upload is on both other machines',
    () =>
      waitFor('the upload is on both', 30_000, async () => {
        for (const name of survivors) {
          const { stdout } = await machines.exec(name, ['sh', '-c', `sha256sum < ${UPLOAD}`], {
            reject: false,
          })
          if (stdout.trim() !== checksum) return null
        }
        return true
      }),
    () => `the same bytes on ${survivors.join(' and ')}`,
  )

  await stage(
    'every confirmed message is delivered on n2',
    async () => {
      const delivered = new Set(await drain(machines, 'n2', login, 'tasks'))
      const missing = Array.from({ length: MESSAGES }, (_, number) => number).filter(
        (number) => !delivered.has(number),
      )
      expect(missing.length === 0, `${missing.length} messages are missing`)
    },
    () => `${MESSAGES} messages`,
  )

  await stage(
    'the log of n1 is on n2 and n3',
    async () => {
      const lacking = await Promise.all(
        survivors.map(async (name) => killedAt - (await lastTick(machines, name))),
      )
      const most = Math.max(...lacking)
      expect(most < LOG_MS, `the last ${Math.round(most)} ms before the power cut are missing`)
      return most
    },
    (ms) => `up to ${Math.max(0, Math.round(ms))} ms before the power cut`,
  )

  await stage('n1 is powered on again', () => machines.poweron('n1'))
  await stage('n1 comes back as a standby', () => untilHealthy(machines, 'n1', 120_000))
  await stage('n1 has the same files as the others', () => untilInSync(machines, ['n1', ...survivors]))
  const after = await untilHealthy(machines, 'n1')
  const returned = after.machines.find(({ name }) => name === 'n1')?.postgresql
  expect(returned !== undefined && returned !== UNKNOWN && returned.role === 'standby', 'n1 is not a standby')
  say(`\n${tableLines(after, sections).join('\n')}\n`)

  const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(1)} s`
  say('Timeline')
  for (const [title, ms] of timeline) say(`  ${seconds(ms).padStart(8)}  ${title}`)
  say('After the power cut')
  say(`  ${seconds(failover.promotedMs).padStart(8)}  ${failover.primary} was promoted`)
  say(`  ${seconds(failover.addressMs).padStart(8)}  ${VIRTUAL_IP} was on ${failover.primary}`)
  say(`  ${seconds(failover.followedMs).padStart(8)}  PgBouncer on ${survivors.join(' and ')} followed`)
  say(`  ${seconds(first.at - killedAt).padStart(8)}  first acknowledged write`)
  say(`  ${seconds(outageMs).padStart(8)}  longest gap between acknowledged writes`)
  expect(
    outageMs < OUTAGE_MS,
    `the client could not write for ${seconds(outageMs)}, which is more than ${seconds(OUTAGE_MS)}`,
  )
  say(`\nAll of this was observed, in ${seconds(performance.now() - started)}.`)
}

if (options.help) {
  process.stdout.write(help)
  process.exit()
}
let exitCode = 0
try {
  await demo()
} catch (error) {
  exitCode = 1
  process.stderr.write(`${chalk.red('failed')}: ${explain(error)}\n`)
}
if (options.keep && lab)
  say(
    `The lab stays up: npm run lab -- exec --lab ${LAB} n1 -- understudy status; npm run lab -- down --lab ${LAB}`,
  )
else await Lab.remove(LAB)
process.exit(exitCode)
