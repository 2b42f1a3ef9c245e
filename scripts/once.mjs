#!/usr/bin/env zx
// understudy once: runs a task at most once in the cluster, and says what became of it.
import { Consul } from '#lib/consul/client'
import { runCommand } from '#lib/core/arguments'
import { requireSettings } from '#lib/core/settings'
import { taskKeys } from '#lib/tasks/manifest'
import { parseOnceCommand } from '#lib/tasks/options'
import { renderTask, tasksOf } from '#lib/tasks/render-outcomes'
import { digestOf } from '#lib/tasks/subject'

const help = `understudy once: run a task at most once in the cluster

  understudy once NAME KEY [--retry-unknown] -- COMMAND...
  understudy once status NAME [KEY] [--json]               what became of the tasks of this name

COMMAND runs if no machine has started a task with this NAME and KEY before. Its outcome is one of:

  done     its exit code was 0
  failed   its exit code was not 0
  unknown  its machine or its claim was lost while it ran: it may have done everything, nothing, or a part

None of them is run again, except that --retry-unknown runs an unknown task again. First find out what it has done.
Everything else is as with understudy lock: directory, environment, input, output, UNDERSTUDY_LOCK_EPOCH, and that all
of it is killed if its claim is lost.

NAME has up to 63 of a-z, 0-9, ".", "_" and "-"; KEY has up to 1024 bytes of anything. A task that is done or failed is
forgotten after 30 days, or when there are more than 100000: after that it would be run again. An unknown task is never
forgotten.

  --retry-unknown  run it again if its outcome is unknown
  --json           print the state as one JSON object
  --help           print this text

It needs root. COMMAND becomes another user with runuser(1).

Exit codes:
  75   it is running; it was not run again
  65   its outcome is unknown; it was not run again
  69   Consul does not answer; nothing was run
  64   wrong arguments; nothing was run
  78   not a member, or not root; nothing was run
  127  COMMAND does not exist; nothing was run
  137  COMMAND was killed, because its claim was lost
  Otherwise that of COMMAND, also if it was run before: then one line says so.

Examples:
  understudy once report 2026-11 -- /usr/local/bin/report 2026-11
  understudy once report 2026-11 --retry-unknown -- /usr/local/bin/report 2026-11
  understudy once status report
  understudy once status report --json | jq '.tasks[] | select(.state == "unknown")'
`

/** How long Consul may take for the list: up to a hundred thousand tasks, some ten megabytes. */
const LIST_MS = 20_000

/** @param {import('#lib/tasks/options').OnceStatusCommand} command */
async function showStatus({ name, key, json }) {
  const consul = new Consul({ prefix: requireSettings().kvPrefix, timeoutMs: LIST_MS })
  const entry = key === null ? null : await consul.get(taskKeys.outcome(name, digestOf(key)))
  const entries =
    key === null ? (await consul.entries(taskKeys.outcomesOf(name))).values() : entry ? [entry] : []
  const tasks = tasksOf(entries)
  process.stdout.write(
    json
      ? `${JSON.stringify({ schema: 1, name, tasks })}\n`
      : tasks.map((task) => `${renderTask(task)}\n`).join(''),
  )
  return 0
}

/** @param {string[]} argv */
async function main(argv) {
  const command = parseOnceCommand(argv)
  if (command.kind === 'status') return showStatus(command)
  const { runUnderLock } = await import('#lib/tasks/call')
  const { exitCode, message } = await runUnderLock(command)
  if (message !== undefined) process.stderr.write(`understudy once: ${message}\n`)
  return exitCode
}

await runCommand('understudy once', help, main, { lendsOutput: process.argv.includes('--') })
