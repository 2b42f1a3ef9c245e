#!/usr/bin/env zx
// `understudy status`: what the cluster looks like from this machine. The fields of --json: docs/status.md.
import { setTimeout as sleep } from 'node:timers/promises'
import { chalk } from 'zx'
import { commandArguments, parseArguments } from '#lib/core/arguments'
import { EXIT, explain, UnderstudyError, usageError } from '#lib/core/errors'
import { requireSettings } from '#lib/core/settings'
import { unknownInJson } from '#lib/core/unknown'
import { documentOf, exitCodeOf } from '#lib/status/judge'
import { observeStatus } from '#lib/status/observe'
import { plain, tableLines } from '#lib/status/table'

const DEFAULT_SECONDS = 2
const LONGEST_SECONDS = 3600

const help = `understudy status: what the cluster looks like from this machine

Usage: understudy status [--json] [--watch [SECONDS]]

  --json              one JSON object, see docs/status.md; with --watch one line each time
  --watch [SECONDS]   again and again, ${DEFAULT_SECONDS} s apart, until interrupted (Ctrl-C)
  --help

Runs on any member, as root, and takes less than three seconds also while machines are away. What cannot be known is
shown as "unknown", with the reason.

Exit codes: 0 healthy, 2 not healthy, 64 wrong arguments, 65 this machine's settings cannot be read,
69 the local Consul does not answer, 78 not a member or not root. --watch ends with 0 when it is interrupted.

Examples:
  understudy status
  understudy status --watch
  understudy status --watch 10 >> cluster.log
  understudy status --json | jq '.machines[] | {name, postgresql}'
  understudy status > /dev/null || mail -s "cluster not healthy" root < /dev/null
`

/**
 * @param {readonly string[]} argv
 * @returns {{ help: boolean, json: boolean, watchSeconds: number | null }}
 */
function parse(argv) {
  // parseArgs knows no option with an optional value: SECONDS is the one positional argument that --watch allows.
  const args = argv.flatMap((argument) =>
    argument.startsWith('--watch=') ? ['--watch', argument.slice('--watch='.length)] : [argument],
  )
  const { values, positionals } = parseArguments('understudy status', {
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [seconds, ...more] = positionals
  if (more.length > 0 || (seconds !== undefined && !values.watch)) {
    throw usageError(`unexpected argument ${more[0] ?? seconds}; see understudy status --help`)
  }
  const watchSeconds = seconds === undefined ? DEFAULT_SECONDS : Number(seconds)
  if (seconds === '' || !(watchSeconds > 0 && watchSeconds <= LONGEST_SECONDS)) {
    throw usageError(
      `--watch takes a number of seconds, more than 0 and up to ${LONGEST_SECONDS}, not: ${seconds}`,
    )
  }
  return { help: values.help, json: values.json, watchSeconds: values.watch ? watchSeconds : null }
}

/**
 * Writes and waits until it is written, so that the process may be ended right after it.
 * @param {string} text
 * @returns {Promise<void>}
 */
const write = (text) =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  })

/** chalk sees for itself whether this is a terminal, but does not know https://no-color.org. */
const paint =
  process.stdout.isTTY && !process.env['NO_COLOR']
    ? { good: chalk.green, bad: chalk.red, faint: chalk.dim, strong: chalk.bold }
    : plain

/**
 * @param {import('#lib/core/settings').Settings} settings
 * @param {boolean} json
 */
async function showOnce(settings, json) {
  const status = documentOf(await observeStatus(settings))
  await write(
    json ? `${JSON.stringify(status, unknownInJson, 2)}\n` : `${tableLines(status, paint).join('\n')}\n`,
  )
  return exitCodeOf(status)
}

/**
 * Until a signal ends it.
 * @param {import('#lib/core/settings').Settings} settings
 * @param {{ json: boolean, watchSeconds: number }} options
 * @returns {Promise<never>}
 */
async function watch(settings, { json, watchSeconds }) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(EXIT.ok))
  for (let round = 0; ; round += 1) {
    const status = documentOf(await observeStatus(settings))
    if (json) await write(`${JSON.stringify(status, unknownInJson)}\n`)
    else {
      const lines = [...tableLines(status, paint), `${status.at.slice(0, 19).replace('T', ' ')} UTC`]
      // Home, and what is left of the old text goes line by line: clearing it all first would flicker.
      if (process.stdout.isTTY) await write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`)
      else await write(`${round === 0 ? '' : '\n'}${lines.join('\n')}\n`)
    }
    await sleep(watchSeconds * 1000)
  }
}

async function main() {
  const options = parse(commandArguments())
  if (options.help) {
    await write(help)
    return EXIT.ok
  }
  const settings = requireSettings()
  if (process.getuid?.() !== 0) {
    throw new UnderstudyError(
      EXIT.config,
      'the passwords for asking the machines are for root only; run it with sudo',
    )
  }
  const { json, watchSeconds } = options
  return watchSeconds === null ? showOnce(settings, json) : watch(settings, { json, watchSeconds })
}

// A failed write is reported by write() itself.
process.stdout.on('error', () => {})
try {
  // Ended by hand: a connection to a silent machine would keep the process alive until TCP gives up.
  process.exit(await main())
} catch (error) {
  // Whoever reads our output has seen enough (head).
  if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EPIPE') process.exit(EXIT.ok)
  process.stderr.write(`understudy status: ${explain(error)}\n`)
  process.exit(error instanceof UnderstudyError ? error.exitCode : EXIT.failed)
}
