#!/usr/bin/env zx
// understudy join: makes this machine a member. Run as root; running it again changes nothing, or finishes what is left.
import { runCommand } from '#lib/core/arguments'
import { paintFor } from '#lib/core/paint'
import { progressOn } from '#lib/core/progress'
import { requireSettings } from '#lib/core/settings'
import { planJoin } from '#lib/operations/join'
import { parseJoinOptions } from '#lib/operations/options'
import { lookAtCluster } from '#lib/status/look'

const help = `understudy join: make this machine a member of a cluster

  understudy join --virtual-ip ADDRESS/PREFIX [settings]   on the first machine: start a cluster
  understudy join --consul-join ADDRESS[,ADDRESS...]       on every other machine: join the cluster of this member

Settings of the cluster, only for the first machine:
  --virtual-ip none  a cluster without a virtual IP, for a network without VRRP: it needs no keepalived
  --virtual-ip-command PROGRAM
                     a program that every member calls when the primary changes, with the arguments of a keepalived
                     notify script
  --network NETWORK  network of the members, such as 10.77.0.0/24 (default: that of the virtual IP; without one, that
                     of this machine's address)
  --database NAME    database of the application (default: app); can be repeated; PgBouncer serves all of them
  --user NAME        owner of that database (default: app)
  --password-file FILE
                     the password of that user, in the first line: for a role that exists and keeps it
  --policy POLICY    with-primary: the virtual IP follows the primary (default)
                     fixed: the virtual IP is on the machine with the highest priority
  --durability MODE  quorum: in a cluster of three or more machines, a commit waits until no single failure can
                     lose it (default)
                     strict: like quorum, and commits wait for as long as there is no standby
                     async: a commit never waits for a standby
  --rabbitmq MODE    off: the cluster has no RabbitMQ (default)
                     local: every machine runs a RabbitMQ of its own; nothing of it is replicated
                     clustered: these are one cluster, and each queue has a copy on every machine
  --search MODE      off: the cluster has no search servers (default)
                     local: every machine runs its own OpenSearch or Elasticsearch, which you have installed
                     clustered: these are one cluster
  --search-unit UNIT, --search-config DIRECTORY
                     their unit and the directory of their settings, where these are not those of the packages

Settings that a joining machine may override:
  --copy-rate RATE   copy the primary no faster than RATE a second, such as 50M (32k to 1024M; default: no limit): on
                     the first machine for every copy that the cluster makes, on another one for its own join

Settings of this machine:
  --interface NAME   network interface that carries the virtual IP (default: the one in its network)
  --merge-files      only with --consul-join: merge the files that this machine has in the replicated folders with
                     those of the cluster (without it, join refuses a machine that has such files)
  --help             show this text

If a join failed or was interrupted, run the same command again: it completes the steps that are left. On a healthy
member it changes nothing.

Exit codes: 0 this machine is a healthy member; 64 wrong arguments; 69 a service does not answer; 75 a step took too
long, run it again; 78 this machine lacks something, or cannot be a member; 1 a step failed. After 64 and 78 nothing was
changed.

Examples:
  understudy join --virtual-ip 10.77.0.100/24
  understudy join --consul-join 10.77.0.11
`

const started = performance.now()
const seconds = (/** @type {number} */ since) => `${((performance.now() - since) / 1000).toFixed(1)} s`
const { stdout } = process
const paint = paintFor(stdout)

/** @param {string[]} argv */
async function main(argv) {
  const options = parseJoinOptions(argv)
  stdout.write(
    options.as === 'first'
      ? `Starting a cluster on this machine.\n`
      : `Joining the cluster of ${options.consulJoin.join(', ')}.\n`,
  )
  const { groups, left } = await planJoin(options)
  try {
    await runGroups(groups)
  } finally {
    await left
  }
  stdout.write(`This machine is a member, after ${seconds(started)}.\n\n`)
  stdout.write(`${(await lookAtCluster(requireSettings())).lines().join('\n')}\n`)
}

/**
 * One group after the other, the steps of each side by side.
 * @param {import('#lib/operations/join').PlannedStep[][]} groups
 */
async function runGroups(groups) {
  const count = groups.flat().length
  let number = 0
  for (const group of groups) {
    const steps = group.map(({ title, run }) => {
      number += 1
      return { label: `[${String(number).padStart(2)}/${count}] ${title}`, run }
    })
    const open = new Set(steps.map(({ label }) => label))
    // On a terminal the line is there while the steps run; elsewhere one is printed for each when it is done.
    const show = () => {
      if (stdout.isTTY && open.size > 0) stdout.write(`\r\x1b[K${[...open].join(', ')} ...`)
    }
    const since = performance.now()
    show()
    const ended = await Promise.allSettled(
      steps.map(async ({ label, run }) => {
        /** @param {string} how */
        const say = (how) => {
          open.delete(label)
          stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${label}: ${how}\n`)
          show()
        }
        try {
          await run(progressOn(stdout, label))
        } catch (error) {
          say(paint.bad('failed'))
          throw error
        }
        say(`${paint.good('done')}, ${seconds(since)}`)
      }),
    )
    // The others of its group have been let finish.
    for (const step of ended) if (step.status === 'rejected') throw step.reason
  }
}

await runCommand('understudy join', help, main)
