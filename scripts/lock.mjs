#!/usr/bin/env zx
// understudy lock: runs a command on one machine at a time. With --supervise it is the main process of the unit that it makes.
import { runCommand } from '#lib/core/arguments'
import { parseLockCommand } from '#lib/tasks/options'

const help = `understudy lock: run a command on one machine of the cluster at a time

  understudy lock NAME [--timeout SECONDS] [--ttl SECONDS] -- COMMAND...
  understudy lock NAME [--timeout SECONDS] [--ttl SECONDS] --unit UNIT

COMMAND runs while this machine holds the lock NAME, with this directory, environment, input and output. If the lock can
no longer be confirmed, COMMAND and everything it started are killed before another machine can get the lock. When
COMMAND ends, whatever it left running is killed as well.

UNDERSTUDY_LOCK_EPOCH in its environment is a number that grows with every holder: whatever COMMAND writes to should
refuse an epoch lower than the highest it has seen. A machine that was paused may go on for a moment when it thaws.

  --timeout SECONDS  wait up to SECONDS for the lock (default: 0, at most 86400)
  --ttl SECONDS      how long nobody can take the lock after its holder was lost, 15 to 60 (default: 15). A longer one
                     also leaves COMMAND more time while Consul does not answer
  --unit UNIT        run this service of systemd instead of a COMMAND: it is started under the lock, and the lock is given
                     back when it has ended. What runs of it already is stopped before. The epoch is in
                     /run/understudy/locked/UNIT, which it can read as an EnvironmentFile=
  --help             print this text

It needs root. COMMAND becomes another user with runuser(1).

Exit codes:
  75   somebody else holds the lock; nothing was run
  69   Consul does not answer; nothing was run
  64   wrong arguments; nothing was run
  78   not a member, or not root; nothing was run
  127  COMMAND does not exist; nothing was run
  137  COMMAND was killed, because the lock was lost or could not be confirmed
  Otherwise the exit code of COMMAND, or 128 plus the number of the signal that ended it.

Examples:
  understudy lock nightly -- /usr/local/bin/nightly-report
  understudy lock import --timeout 60 -- sh -c 'psql -f import.sql app'
  understudy lock rest --timeout 86400 --unit manager-rest
  understudy lock mail --ttl 60 -- runuser -u mail -- /opt/mail/send
`

/** @param {string[]} argv */
async function main(argv) {
  const [first, runId] = argv
  if (first === '--supervise' && runId !== undefined) {
    const { supervise } = await import('#lib/tasks/supervise')
    return supervise(runId)
  }
  const command = parseLockCommand(argv)
  const { runUnderLock } = await import('#lib/tasks/call')
  const { exitCode, message } = await runUnderLock(command)
  if (message !== undefined) process.stderr.write(`understudy lock: ${message}\n`)
  return exitCode
}

await runCommand('understudy lock', help, main, {
  lendsOutput: ['--', '--supervise'].some((word) => process.argv.includes(word)),
})
