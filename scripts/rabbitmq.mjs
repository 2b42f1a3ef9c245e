#!/usr/bin/env zx
// understudy rabbitmq: makes RabbitMQ a part of a cluster that was begun without it.
import { Consul } from '#lib/consul/client'
import { enablePart, parseEnable } from '#lib/consul/optional-part'
import { runCommand } from '#lib/core/arguments'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import { awaitEnabled } from '#lib/operations/enable'
import { refuseBroker } from '#lib/rabbitmq/join'
import { rabbitmqPart, rabbitmqPaths } from '#lib/rabbitmq/manifest'

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

/** @param {string[]} argv */
async function main(argv) {
  const { mode } = parseEnable('rabbitmq', argv)
  const { kvPrefix, node } = requireSettings()
  requireRoot()
  const consul = new Consul({ prefix: kvPrefix })
  await refuseBroker(mode, node, consul)
  await enablePart(consul, rabbitmqPart, mode)
  const { configured } = rabbitmqPaths
  await awaitEnabled({ consul, node }, rabbitmqPart, { mode, configured }, (line) =>
    process.stdout.write(`${line}\n`),
  )
}

await runCommand('understudy rabbitmq', help, main)
