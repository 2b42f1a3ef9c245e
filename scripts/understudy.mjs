#!/usr/bin/node
import { version } from '#lib/core/version'

// The command of an installed machine: `understudy join ...` is scripts/join.mjs and so on.

const commands = {
  join: () => import('./join.mjs'),
  status: () => import('./status.mjs'),
  folders: () => import('./folders.mjs'),
  files: () => import('./files.mjs'),
}

const help = `understudy: one active machine, the others ready to take over

  understudy join --virtual-ip ADDRESS/PREFIX     start a cluster on this machine
  understudy join --consul-join ADDRESS[,...]     join the cluster that ADDRESS is a member of
  understudy status [--json] [--watch]            what the cluster looks like from here

  understudy folders list|add|remove              the directories that every machine has the same files in
  understudy files put|wait                       confirm that files are on the other machines

  understudy COMMAND --help                       the whole of a command
  understudy --version
`

const name = process.argv[2]
if (name === '--version') {
  console.log(version)
} else if (name === undefined || name === '--help' || name === 'help') {
  process.stdout.write(help)
} else if (Object.hasOwn(commands, name)) {
  // The scripts read process.argv as if they had been called themselves.
  process.argv.splice(2, 1)
  await commands[/** @type {keyof typeof commands} */ (name)]()
} else {
  process.stderr.write(`understudy: there is no command ${name}; see understudy --help\n`)
  process.exitCode = 64
}
