#!/usr/bin/env zx
// understudy rejoin: replaces the data of this standby with a new copy of the primary. The work itself is that of the handler `rejoin`.
import { parseArguments, runCommand } from '#lib/core/arguments'
import { usageError } from '#lib/core/errors'
import { progressOn } from '#lib/core/progress'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import { askForClone, followClone } from '#lib/postgresql/clone-by-hand'

const help = `understudy rejoin: replace the data of this standby with a new copy of the primary

  understudy rejoin --clone

  --clone   stop PostgreSQL on this machine, copy the primary, and start PostgreSQL as a standby of it
  --help    show this text

Run it as root on a standby whose data is damaged, or no longer trusted. It asks no questions. It refuses if this
machine is the primary, if there is no primary, or if the primary lacks confirmed commits. PostgreSQL does not run on
this machine until the copy is complete. The old data is kept in main.outgoing, beside the data directory, until less
than a fifth of the disk is free or the next copy is complete. With tablespaces it is removed when the copy is in place.

The copy is made in the background: if this command is interrupted, it goes on, also after a power cut. A copy that fails
is tried again by itself, and the check of this machine says why.

Exit codes: 0 this machine is a standby again; 64 wrong arguments; 69 Consul or the primary does not answer; 75 there is
no primary to copy now; 78 refused: not root, not a member, the primary, or no room for the copy; 1 the copy failed.
After 64, 69, 75 and 78 nothing was changed.

Examples:
  understudy rejoin --clone
  understudy rejoin --clone && understudy status
`

const { stdout } = process
/** @param {string[]} argv */
async function main(argv) {
  const { values } = parseArguments('understudy rejoin', {
    ...{ args: argv, allowPositionals: false },
    options: { clone: { type: 'boolean', default: false } },
  })
  if (!values.clone)
    throw usageError('give --clone to replace the data of this machine; see understudy rejoin --help')
  requireRoot()
  const settings = requireSettings()
  const primary = await askForClone(settings)
  stdout.write(`${settings.node} is copying ${primary}.\n`)
  try {
    await followClone(settings, progressOn(stdout))
  } finally {
    if (stdout.isTTY) stdout.write('\r\x1b[K')
  }
  stdout.write(`${settings.node} is a standby of ${primary}.\n`)
}

await runCommand('understudy rejoin', help, main)
