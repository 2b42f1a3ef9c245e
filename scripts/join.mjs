#!/usr/bin/env zx
// understudy join: makes this machine a member. Run as root; running it again changes nothing or finishes the work.
import { chalk } from 'zx'
import { runCommand } from '#lib/core/arguments'
import { requireSettings } from '#lib/core/settings'
import { planJoin } from '#lib/operations/join'
import { parseJoinOptions } from '#lib/operations/options'
import { documentOf } from '#lib/status/judge'
import { observeStatus } from '#lib/status/observe'
import { tableLines } from '#lib/status/table'

const help = `understudy join: make this machine a member of a cluster

  understudy join --virtual-ip ADDRESS/PREFIX [settings]   the first machine: start a cluster
  understudy join --consul-join ADDRESS[,ADDRESS...]       every other: one address of any member is enough

Settings of the cluster, given once on the first machine:
  --database NAME   database for the application (app)
  --user NAME       its owner (app)
  --policy POLICY   with-primary: the virtual IP follows the primary (default); fixed: it stays by priority
  --durability MODE quorum: from three machines on a commit waits until no single fault can lose it (default);
                    strict: it waits even when no standby is left; async: it never waits

For any machine:
  --interface NAME  network interface (the one in the virtual IP's network)
  --merge-files     what this machine has in the replicated folders becomes everybody's (else it is refused)
  --help            this text

Running it again changes nothing; after a failure or a power cut it finishes the work.

Exit codes: 0 a healthy member; 64 wrong arguments; 69 a service does not answer; 75 a step took too long, run it again;
78 this machine lacks something, or cannot be a member; 1 a step failed. After 64 and 78 nothing was changed.

Examples:
  understudy join --virtual-ip 10.77.0.100/24
  understudy join --consul-join 10.77.0.11
`

const started = performance.now()
const seconds = (/** @type {number} */ since) => `${((performance.now() - since) / 1000).toFixed(1)} s`
const { stdout } = process

/** @param {string[]} argv */
async function main(argv) {
  const options = parseJoinOptions(argv)
  stdout.write(
    options.as === 'first'
      ? `Starting a cluster on this machine.\n`
      : `Joining the cluster of ${options.consulJoin.join(', ')}.\n`,
  )
  const steps = await planJoin(options)
  for (const [index, { title, run }] of steps.entries()) {
    const label = `[${String(index + 1).padStart(2)}/${steps.length}] ${title}`
    const since = performance.now()
    // On a terminal the line shows while the step runs; elsewhere it is printed once, when the step is done.
    if (stdout.isTTY) stdout.write(`${label} ...`)
    try {
      await run()
    } catch (error) {
      stdout.write(`${stdout.isTTY ? '\r' : ''}${label}: ${chalk.red('failed')}\n`)
      throw error
    }
    stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${label}: ${chalk.green('done')}, ${seconds(since)}\n`)
  }
  stdout.write(`This machine is a member, after ${seconds(started)}.\n\n`)
  stdout.write(`${tableLines(documentOf(await observeStatus(requireSettings()))).join('\n')}\n`)
}

await runCommand('understudy join', help, main)
