#!/usr/bin/env zx
// understudy logs: the logs of every machine, read on any of them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { runCommand } from '#lib/core/arguments'
import { EXIT, UnderstudyError, usageError } from '#lib/core/errors'
import { execQuick } from '#lib/core/exec-quick'
import { requireSettings } from '#lib/core/settings'
import { logsPaths } from '#lib/logs/manifest'
import { hostNamesOf, journalctlArguments, parseLogsCommand } from '#lib/logs/options'

const help = `understudy logs: read the logs of every machine, on any of them

  understudy logs [--machine NAME] [--unit UNIT] [--since TIME] [--lines N] [--follow] [--json]

Every member has a copy of the journal of every other member, at most about a second old. So what a machine has logged
can be read when it is gone. What PostgreSQL writes into its log file is in the journal too, as "postgresql".

  --machine NAME, -m   only the log of this machine (default: of all, in the order of time)
  --unit UNIT, -u      only this unit, such as postgresql@17-main or consul
  --since TIME, -S     from this time on, such as "10 min ago" or "2026-11-27 03:00" (default: the last 100 lines)
  --lines N, -n        the last N lines
  --follow, -f         keep printing new lines as they arrive
  --json               one JSON object per line, as journalctl -o json prints it
  --help               print this text

Run it as root, or as a user of the group systemd-journal. journalctl -m reads the same journals with all of journalctl's
options. The copies of all others together have at most about 2 GB; the oldest lines go first.

Exit codes: 0 done; 64 wrong arguments, or a machine of which there is no log here; 78 this machine is not a member, or
this user may not read the journal; 1 journalctl failed.

Examples:
  understudy logs --machine n1 --since "1 hour ago"
  understudy logs --unit understudy-failover --follow
  understudy logs --machine n1 --unit postgresql@17-main --json | jq -r .MESSAGE
`

/** journalctl answers at once; a damaged journal takes it longer. */
const ASK_MS = 30_000

/** @param {readonly string[]} args */
const ask = (args) => execQuick('journalctl', ['--merge', '--quiet', ...args], ASK_MS)

function checkAccess() {
  try {
    accessSync(logsPaths.received, constants.R_OK)
  } catch (cause) {
    throw new UnderstudyError(
      EXIT.config,
      'this user may not read the journal; run it as root, or as a user of the group systemd-journal',
      { cause },
    )
  }
}

/** @param {string} machine */
async function hostsCalled(machine) {
  const { exitCode, stdout, stderr } = await ask(['--field=_HOSTNAME'])
  if (exitCode !== 0) throw new UnderstudyError(EXIT.failed, `journalctl failed: ${stderr.trim()}`)
  return hostNamesOf(machine, stdout.split('\n').filter(Boolean))
}

/** @param {string} since */
async function checkTime(since) {
  const { exitCode, stderr } = await ask([`--since=${since}`, '--lines=0'])
  if (exitCode !== 0 && /timestamp/i.test(stderr))
    throw usageError(`--since takes a time such as "10 min ago" or "2026-11-27 03:00", not "${since}"`)
}

/** @param {string[]} argv */
async function main(argv) {
  const command = parseLogsCommand(argv)
  requireSettings()
  checkAccess()
  if (command.since !== null) await checkTime(command.since)
  const hosts = command.machine === null ? [] : await hostsCalled(command.machine)
  const child = spawn('journalctl', journalctlArguments(command, hosts), { stdio: 'inherit' })
  // Ctrl-C reaches journalctl as well, whose end is ours.
  process.on('SIGINT', () => {})
  const [code] = await once(child, 'close')
  if (code !== null && code !== 0 && code !== 130) throw new UnderstudyError(EXIT.failed, 'journalctl failed')
}

await runCommand('understudy logs', help, main)
