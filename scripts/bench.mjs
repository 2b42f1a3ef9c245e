#!/usr/bin/env tsx
// npm run bench: how long clients cannot write when something happens, and the goals. Exit 0 only if every goal is met.
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
import { EXIT, explain, UnderstudyError, usageError } from '../lib/core/errors.ts'
import { curves } from '../test/lab/bench/curves.ts'
import { events } from '../test/lab/bench/events.ts'
import { benchFailover } from '../test/lab/bench/failover.ts'
import { benchFiles } from '../test/lab/bench/files.ts'
import { benchIdle } from '../test/lab/bench/idle.ts'
import { benchJoin } from '../test/lab/bench/join.ts'
import { benchLoad } from '../test/lab/bench/load.ts'
import { PEER_LAB } from '../test/lab/bench/peer.ts'
import { record } from '../test/lab/bench/record.ts'
import {
  contenderNames,
  filesLines,
  idleLines,
  joinLines,
  loadLines,
  resultLines,
  runText,
  scaleLines,
} from '../test/lab/bench/report.ts'
import { benchScale, SCALE_LAB } from '../test/lab/bench/scale.ts'
import { LAB } from '../test/lab/bench/stage.ts'
import { Lab } from '../test/lab/lib/lab.ts'
import { wholeNumber } from './whole-number.mjs'

const help = `Usage: npm run bench -- failover [--runs N] [--events NAME,NAME] [--peer] [--suite trixie|bookworm] [--record] [--json]
       npm run bench -- files [--runs N] [--suite trixie|bookworm] [--record] [--json]
       npm run bench -- idle [--runs N] [--peer] [--writes] [--suite trixie|bookworm] [--record] [--json]
       npm run bench -- join [--runs N] [--suite trixie|bookworm] [--record] [--json]
       npm run bench -- load [--minutes N] [--suite trixie|bookworm] [--record] [--json]
       npm run bench -- scale [--runs N] [--of NAME,NAME] [--suite trixie|bookworm] [--record] [--json]

Uses a lab of its own with three machines, and a client that writes through the virtual IP every 10 ms.

failover measures the longest time between two acknowledged writes during each event, N times (5), and prints the median
beside its goal. With --peer, Debian's Patroni is set beside it: on a second lab with the same Consul and the same load, run
by run, with its default and with its fastest settings, and the ratios are printed. A goal is also missed if an acknowledged write is lost, if a failover gains nothing, or if the cluster does not recover by itself. All
events together take about half an hour. The events and their goals:

${events.map(({ name, title, goalMs }) => `  ${name.padEnd(14)} ${title} (${goalMs / 1000} s)`).join('\n')}

files measures how long it takes until a file of 1 MB is confirmed by all machines, N times (5), beside rsync to the same
machines.

idle measures what each machine costs while nobody does anything, N times for a minute, and what of that is ours: what Consul
starts, units of ours, and the sessions that these make in PostgreSQL. With --peer, machines with Patroni's default settings
are watched in the same minutes. With --writes a client writes every 10 ms meanwhile.

join measures how long understudy join takes on new machines, N times (5): on the first one, and on two at the same moment.

load runs two busy loops on each machine for N minutes (30) and counts the failovers. The goal is none.

scale measures clusters that grow: what the busiest machine costs at rest, N times (5) for a minute, and N failovers after a
power cut of the primary. All curves together take about three hours. They are:

${curves.map(({ name, title, sizes }) => `  ${name.padEnd(14)} ${sizes.map((size) => size.toLocaleString('en')).join('; ')} ${title}`).join('\n')}

  --peer    Patroni beside us
  --record  also puts the results, the load of this host and the command into docs/performance.md
  --json    prints the results as JSON on stdout; the progress goes to stderr
`

const say = (/** @type {string} */ line) => process.stderr.write(`${chalk.dim('bench:')} ${line}\n`)

/**
 * @template {{ readonly name: string }} T
 * @param {string} what
 * @param {readonly T[]} known
 * @param {string} names with commas between
 */
const named = (what, known, names) =>
  names.split(',').map((name) => {
    const found = known.find((candidate) => candidate.name === name)
    if (!found)
      throw usageError(`there is no ${what} "${name}"; they are ${known.map((one) => one.name).join(', ')}`)
    return found
  })

function parse() {
  const parsed = (() => {
    try {
      return parseArgs({
        allowPositionals: true,
        options: {
          runs: { type: 'string', default: '5' },
          events: { type: 'string', default: events.map(({ name }) => name).join(',') },
          of: { type: 'string', default: curves.map(({ name }) => name).join(',') },
          minutes: { type: 'string', default: '30' },
          peer: { type: 'boolean', default: false },
          writes: { type: 'boolean', default: false },
          suite: { type: 'string', default: 'trixie' },
          record: { type: 'boolean', default: false },
          json: { type: 'boolean', default: false },
          help: { type: 'boolean', default: false },
        },
      })
    } catch (error) {
      throw usageError(explain(error).split('. ')[0] ?? '')
    }
  })()
  const { values, positionals } = parsed
  const [what, ...more] = positionals
  if (
    !values.help &&
    (!['failover', 'files', 'idle', 'join', 'load', 'scale'].includes(what ?? '') || more.length > 0)
  )
    throw usageError('name what to measure: failover, files, idle, join, load or scale')
  const { suite } = values
  if (suite !== 'trixie' && suite !== 'bookworm')
    throw usageError(`--suite is trixie or bookworm, not ${suite}`)
  const chosen = named('event', events, values.events)
  const grown = named('curve', curves, values.of)
  const runs = wholeNumber('runs', values.runs, 1, 1000)
  const minutes = wholeNumber('minutes', values.minutes, 1, 10_000)
  return {
    ...values,
    suite: /** @type {'trixie' | 'bookworm'} */ (suite),
    what,
    chosen,
    grown,
    runs,
    minutes,
  }
}

const sayRun = (/** @type {string} */ which, /** @type {Parameters<typeof runText>[0]} */ run) =>
  say(`${which}: ${runText(run)}${chalk.red(run.problems.map((problem) => `; ${problem}`).join(''))}`)

/**
 * Measures. Gives what a person reads, what a machine reads, whether every goal is met, and the sections of the page that keep
 * it, where they are others than the one that has the command's name.
 * @param {ReturnType<typeof parse>} options
 */
async function bench({ what, chosen, grown, runs, minutes, peer, writes, suite }) {
  if (what === 'files') {
    const files = await benchFiles({ runs, suite, log: say })
    return { lines: filesLines(files), result: { files }, goalMet: files.goalMet }
  }
  if (what === 'idle') {
    const idle = await benchIdle({ runs, suite, peer, writes, log: say })
    const lines = idleLines(idle)
    const sections = { [writes ? 'idle-writes' : 'idle']: lines }
    return { lines, result: { idle }, goalMet: idle.goalMet, sections }
  }
  if (what === 'join') {
    const join = await benchJoin({ runs, suite, log: say })
    return { lines: joinLines(join), result: { join }, goalMet: join.goalMet }
  }
  if (what === 'load') {
    const load = await benchLoad({ minutes, suite, log: say })
    return { lines: loadLines(load), result: { load }, goalMet: load.goalMet }
  }
  if (what === 'scale') {
    const scale = await benchScale({
      ...{ curves: grown, runs, suite, log: say },
      seen: ({ title }, size, number, run) => sayRun(`${size} ${title}, failover ${number + 1}/${runs}`, run),
    })
    const sections = Object.fromEntries(
      scale.curves.map((curve) => [`scale-${curve.name}`, scaleLines({ ...scale, curves: [curve] })]),
    )
    return { lines: scaleLines(scale), result: { scale }, goalMet: scale.goalMet, sections }
  }
  const results = await benchFailover({
    ...{ events: chosen, runs, suite, peer, log: say },
    seen: ({ name }, contender, number, run) =>
      sayRun(`${name} ${number + 1}/${runs}, ${contenderNames[contender]}`, run),
  })
  return {
    lines: resultLines(results),
    result: { events: results },
    goalMet: results.every(({ goalMet }) => goalMet),
  }
}

/** @param {ReturnType<typeof parse>} options */
async function measure(options) {
  const { what, grown, suite, json } = options
  const growsInMachines = what === 'scale' && grown.some(({ name }) => name === 'machines')
  const machines = growsInMachines ? 'three to seven machines' : 'three machines'
  const host = {
    at: new Date().toISOString(),
    machines,
    suite,
    cores: cpus().length,
    loadBefore: loadavg()[0] ?? 0,
  }
  const { lines, result, goalMet, sections = { [String(what)]: lines } } = await bench(options)
  const document = { ...host, loadAfter: loadavg()[0] ?? 0, ...result }
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${lines.join('\n')}\n`)
  if (options.record) for (const [section, kept] of Object.entries(sections)) record(section, kept, document)
  return goalMet
}

try {
  const options = parse()
  if (options.help) process.stdout.write(help)
  else
    try {
      process.exitCode = (await measure(options)) ? EXIT.ok : EXIT.failed
    } finally {
      await Lab.remove(options.what === 'scale' ? SCALE_LAB : LAB)
      if (options.peer) await Lab.remove(PEER_LAB)
    }
} catch (error) {
  process.stderr.write(`bench: ${explain(error)}\n`)
  process.exitCode = error instanceof UnderstudyError ? error.exitCode : EXIT.failed
}
