#!/usr/bin/env zx
// understudy status: what the cluster looks like from this machine. The fields of --json: docs/operator/status.md.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArguments, runCommand } from '#lib/core/arguments'
import { EXIT, usageError } from '#lib/core/errors'
import { requireRoot } from '#lib/core/root'

const DEFAULT_SECONDS = 2
const LONGEST_SECONDS = 3600

const help = `understudy status: show the cluster as this machine sees it

Usage: understudy status [--json] [--watch [SECONDS]]

  --json              print one JSON object; with --watch, one line of JSON each time
  --watch [SECONDS]   look again every ${DEFAULT_SECONDS} s, or every SECONDS, until interrupted (Ctrl-C)
  --help              print this text

It runs on any member, as root. It takes less than three seconds, even if machines are silent. What cannot be read is
shown as "unknown", and the reason stands below the table.

It uses colour on a terminal only, and not if the environment has NO_COLOR.

Exit codes:
  0   healthy, or --watch was interrupted
  2   not healthy
  64  wrong arguments
  65  this machine's settings cannot be read
  69  the local Consul does not answer
  78  this machine is not a member, or this user is not root

Examples:
  understudy status
  understudy status --watch
  understudy status --watch 10 >> cluster.log
  understudy status --json | jq '.machines[] | {name, postgresql}'
  understudy status > /dev/null || mail -s "the cluster is not healthy" root < /dev/null
`

/**
 * @param {readonly string[]} argv
 * @returns {{ json: boolean, watchSeconds: number | null }}
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
  return { json: values.json, watchSeconds: values.watch ? watchSeconds : null }
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

/** Loaded late: --help does not need it. */
async function open() {
  const [{ requireSettings }, { lookAtCluster }, { paintFor }, { unknownInJson }] = await Promise.all([
    import('#lib/core/settings'),
    import('#lib/status/look'),
    import('#lib/core/paint'),
    import('#lib/core/unknown'),
  ])
  const settings = requireSettings()
  requireRoot('only root can read the passwords for asking the machines')
  return { look: () => lookAtCluster(settings), paint: paintFor(process.stdout), unknownInJson }
}

/** @typedef {Awaited<ReturnType<typeof open>>} Cluster */

/** @param {Cluster} cluster @param {boolean} json */
async function showOnce({ look, paint, unknownInJson }, json) {
  const { document, exitCode, lines } = await look()
  await write(json ? `${JSON.stringify(document, unknownInJson, 2)}\n` : `${lines(paint).join('\n')}\n`)
  return exitCode
}

/**
 * Until a signal ends it.
 * @param {Cluster} cluster
 * @param {{ json: boolean, watchSeconds: number }} options
 * @returns {Promise<never>}
 */
async function watch({ look, paint, unknownInJson }, { json, watchSeconds }) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(EXIT.ok))
  for (let round = 0; ; round += 1) {
    const { document, lines } = await look()
    if (json) await write(`${JSON.stringify(document, unknownInJson)}\n`)
    else {
      const text = [...lines(paint), `${document.at.slice(0, 19).replace('T', ' ')} UTC`]
      // Home, and what is left of the old text goes line by line: clearing it all first would flicker.
      if (process.stdout.isTTY) await write(`\x1b[H${text.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`)
      else await write(`${round === 0 ? '' : '\n'}${text.join('\n')}\n`)
    }
    await sleep(watchSeconds * 1000)
  }
}

/** @param {string[]} argv */
async function main(argv) {
  const { json, watchSeconds } = parse(argv)
  const cluster = await open()
  return watchSeconds === null ? showOnce(cluster, json) : watch(cluster, { json, watchSeconds })
}

await runCommand('understudy status', help, main)
