#!/usr/bin/node
// The command of an installed machine: `understudy join ...` is scripts/join.mjs and so on. Each is loaded when it is called.
import { outliveReaders } from '#lib/core/arguments'
import { version } from '#lib/core/version'

const commands = {
  join: () => import('./join.mjs'),
  rejoin: () => import('./rejoin.mjs'),
  status: () => import('./status.mjs'),
  databases: () => import('./databases.mjs'),
  folders: () => import('./folders.mjs'),
  files: () => import('./files.mjs'),
  lock: () => import('./lock.mjs'),
  once: () => import('./once.mjs'),
  logs: () => import('./logs.mjs'),
  rabbitmq: () => import('./rabbitmq.mjs'),
  services: () => import('./services.mjs'),
  search: () => import('./search.mjs'),
}

const help = `understudy: one primary, the others ready to take over

  understudy join --virtual-ip ADDRESS/PREFIX     start a cluster on this machine
  understudy join --consul-join ADDRESS[,...]     join the cluster that ADDRESS is a member of
  understudy status [--json] [--watch]            show the cluster as this machine sees it
  understudy rejoin --clone                       replace the data of this standby with a new copy of the primary

  understudy databases list|add|remove|set        choose what is behind PgBouncer, and its settings
  understudy folders list|add|remove              choose the directories that have the same files on every machine
  understudy services list|add|remove             choose the services of yours that run everywhere, or on the active one
  understudy files put|wait                       confirm that files have reached the other machines
  understudy logs [--machine NAME] [--follow]     read the logs of every machine, even of one that is gone

  understudy lock NAME -- COMMAND                 run a command on one machine at a time
  understudy once NAME KEY -- COMMAND             run a task at most once in the cluster
  understudy rabbitmq enable local|clustered      add RabbitMQ to the cluster
  understudy search enable local|clustered        add OpenSearch or Elasticsearch to the cluster

  understudy COMMAND --help                       explain a command, with its exit codes and examples
  understudy --version                            print the version

Examples:
  understudy join --virtual-ip 10.77.0.100/24
  understudy join --consul-join 10.77.0.11
  understudy status --watch
  understudy files put blueprint.zip /opt/manager/resources/
`

const name = process.argv[2]
if (name === '--version') {
  outliveReaders('understudy')
  process.stdout.write(`${version}\n`)
} else if (name === undefined || name === '--help' || name === 'help') {
  outliveReaders('understudy')
  process.stdout.write(help)
} else if (Object.hasOwn(commands, name)) {
  // The scripts read process.argv as if they had been called themselves.
  process.argv.splice(2, 1)
  await commands[/** @type {keyof typeof commands} */ (name)]()
} else {
  process.stderr.write(`understudy: there is no command ${name}; see understudy --help\n`)
  process.exitCode = 64
}
