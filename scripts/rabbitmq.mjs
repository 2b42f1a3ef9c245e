#!/usr/bin/env zx
// understudy rabbitmq: makes RabbitMQ a part of a cluster that was begun without it.
import { Consul } from '#lib/consul/client'
import { consulKeys, consulUnits } from '#lib/consul/manifest'
import { runCommand } from '#lib/core/arguments'
import { readText } from '#lib/core/atomic-files'
import { readFailure } from '#lib/core/failure'
import { paths } from '#lib/core/paths'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import { queueUnit } from '#lib/core/systemd'
import { waitFor } from '#lib/core/wait'
import { enableRabbitmq } from '#lib/rabbitmq/enable'
import { refuseBroker } from '#lib/rabbitmq/join'
import { rabbitmqPaths } from '#lib/rabbitmq/manifest'
import { parseRabbitmqCommand } from '#lib/rabbitmq/options'

const help = `understudy rabbitmq: make RabbitMQ a part of the cluster

  understudy rabbitmq enable local
  understudy rabbitmq enable clustered     run it on one member; every member needs Debian's package rabbitmq-server

With local, every machine runs a RabbitMQ of its own. Nothing is replicated: the messages of a machine are on that machine
alone. The configuration of RabbitMQ stays as it is.

With clustered, the brokers of all machines are one cluster, and each queue has a copy on every machine. understudy
configures them. A broker that has users, queues or settings of yours is refused.

The first machine of a new cluster can choose the mode when it joins, see understudy join --help.

  --help     print this text

Exit codes:
  0   RabbitMQ accepts connections on every member, or those on which it does not are named
  64  wrong arguments; nothing was changed
  78  not a member, not root, the package is missing here, or the broker here cannot be used; nothing was changed
  69  Consul does not answer
  75  this machine took too long; its check says how it goes on

Examples:
  understudy rabbitmq enable local
  understudy rabbitmq enable clustered
`

/** The first start of a broker on a busy machine; this member is configured as after an upgrade of the package. */
const HERE_MS = 180_000
/** The others notice it in their next periodic check, which comes every 15 s, and start theirs. */
const OTHERS_MS = 60_000

const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)

/** Members whose RabbitMQ does not accept connections yet. @param {Consul} consul */
async function waitingFor(consul) {
  const [nodes, checks] = await Promise.all([consul.names(consulKeys.nodes), consul.checks()])
  const accepts = checks.filter(({ checkId, status }) => checkId === 'rabbitmq' && status === 'passing')
  return nodes.filter((name) => !accepts.some(({ node }) => node === name))
}

/** @param {string[]} argv */
async function main(argv) {
  const { mode } = parseRabbitmqCommand(argv)
  const { kvPrefix, node } = requireSettings()
  requireRoot()
  const consul = new Consul({ prefix: kvPrefix })
  await refuseBroker(mode, node, consul)
  await enableRabbitmq(consul, mode)
  if (readText(rabbitmqPaths.configured)?.trim() !== mode) await queueUnit('start', consulUnits.upgrade)
  await waitFor(`RabbitMQ on ${node}`, HERE_MS, async () => {
    if (!(await waitingFor(consul)).includes(node)) return true
    const failure = readFailure(paths.upgradeFailed)
    if (failure) throw new Error(failure.reason)
    return null
  })
  print(`RabbitMQ runs on ${node}`)
  const late = await waitFor('RabbitMQ on the other members', OTHERS_MS, async () =>
    (await waitingFor(consul)).length === 0 ? [] : null,
  ).catch(() => waitingFor(consul))
  for (const name of late) print(`it does not run on ${name} yet; the check of ${name} says why`)
}

await runCommand('understudy rabbitmq', help, main)
