#!/usr/bin/env tsx
// npm run bench: how long clients cannot write when something happens, and the goals. Exit 0 only if every goal is met.
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
import { EXIT, explain, UnderstudyError, usageError } from '../lib/core/errors.ts'
import { events } from '../test/lab/bench/events.ts'
import { benchFailover } from '../test/lab/bench/failover.ts'
import { benchFiles } from '../test/lab/bench/files.ts'
import { benchLoad } from '../test/lab/bench/load.ts'
import { filesLines, loadLines, milestoneText, resultLines, seconds } from '../test/lab/bench/report.ts'
import { LAB } from '../test/lab/bench/stage.ts'
import { Lab } from '../test/lab/lib/lab.ts'
import { wholeNumber } from './whole-number.mjs'

const help = `Usage: npm run bench -- failover [--runs N] [--events NAME,NAME] [--suite trixie|bookworm] [--json]
       npm run bench -- files [--runs N] [--suite trixie|bookworm] [--json]
       npm run bench -- load [--minutes N] [--suite trixie|bookworm] [--json]

Uses a lab of its own with three machines, and a client that writes through the virtual IP every 10 ms.

failover measures the longest time between two acknowledged writes during each event, N times (5), and prints the median
beside its goal and beside the time of Patroni 4.0.7 in the same lab (default settings / fastest settings). A goal is also
missed if an acknowledged write is lost, if a failover gains nothing, or if the cluster does not recover by itself. All
events together take about half an hour. The events and their goals:

${events.map(({ name, title, goalMs }) => `  ${name.padEnd(14)} ${title} (${goalMs / 1000} s)`).join('\n')}

files measures how long it takes until a file of 1 MB is confirmed by all machines, N times (5), beside rsync to the same
machines.

load runs two busy loops on each machine for N minutes (30) and counts the failovers. The goal is none.

  --json    prints the results as JSON on stdout; the progress goes to stderr
`

const say = (/** @type {string} */ line) => process.stderr.write(`${chalk.dim('bench:')} ${line}\n`)

function parse() {
  const parsed = (() => {
    try {
      return parseArgs({
        allowPositionals: true,
        options: {
          runs: { type: 'string', default: '5' },
          events: { type: 'string', default: events.map(({ name }) => name).join(',') },
          minutes: { type: 'string', default: '30' },
          suite: { type: 'string', default: 'trixie' },
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
  if (!values.help && (!['failover', 'files', 'load'].includes(what ?? '') || more.length > 0))
    throw usageError('name what to measure: failover, files or load')
  const { suite } = values
  if (suite !== 'trixie' && suite !== 'bookworm')
    throw usageError(`--suite is trixie or bookworm, not ${suite}`)
  const chosen = values.events.split(',').map((name) => {
    const event = events.find((candidate) => candidate.name === name)
    if (!event)
      throw usageError(
        `there is no event "${name}"; they are ${events.map((known) => known.name).join(', ')}`,
      )
    return event
  })
  const runs = wholeNumber('runs', values.runs, 1, 1000)
  const minutes = wholeNumber('minutes', values.minutes, 1, 10_000)
  return { ...values, suite: /** @type {'trixie' | 'bookworm'} */ (suite), what, chosen, runs, minutes }
}

/** @param {ReturnType<typeof parse>} options */
async function bench({ what, chosen, runs, minutes, suite, json }) {
  const print = (/** @type {string[]} */ lines, /** @type {unknown} */ document) =>
    process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${lines.join('\n')}\n`)
  const at = new Date().toISOString()
  if (what === 'files') {
    const result = await benchFiles({ runs, suite, log: say })
    print(filesLines(result), { at, suite, files: result })
    return result.goalMet
  }
  if (what === 'load') {
    const result = await benchLoad({ minutes, suite, log: say })
    print(loadLines(result), { at, suite, load: result })
    return result.goalMet
  }
  const results = await benchFailover({
    ...{ events: chosen, runs, suite, log: say },
    seen: (event, number, run) => {
      const milestones = 'milestones' in run && run.milestones ? `: ${milestoneText(run.milestones)}` : ''
      const problems = run.problems.map((problem) => `; ${problem}`).join('')
      say(`${event.name} ${number + 1}/${runs}: ${seconds(run.gapMs)} s${milestones}${chalk.red(problems)}`)
    },
  })
  print(resultLines(results), { at, suite, events: results })
  return results.every(({ goalMet }) => goalMet)
}

try {
  const options = parse()
  if (options.help) process.stdout.write(help)
  else
    try {
      process.exitCode = (await bench(options)) ? EXIT.ok : EXIT.failed
    } finally {
      await Lab.remove(LAB)
    }
} catch (error) {
  process.stderr.write(`bench: ${explain(error)}\n`)
  process.exitCode = error instanceof UnderstudyError ? error.exitCode : EXIT.failed
}
