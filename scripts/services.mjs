#!/usr/bin/env zx
// understudy services: lists and changes the operator's services that the cluster starts, stops and registers.
import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { components } from '#lib/components'
import { changeDocument } from '#lib/consul/change-document'
import { Consul } from '#lib/consul/client'
import { runCommand } from '#lib/core/arguments'
import { EXIT, UnderstudyError, usageError } from '#lib/core/errors'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import { showUnits } from '#lib/core/systemd'
import { NO_SERVICES, withoutService, withService } from '#lib/services/change-services'
import { kindOf } from '#lib/services/config'
import { unitProblem } from '#lib/services/decide-names'
import { reportServices, stateText } from '#lib/services/decide-status'
import { servicesKeys } from '#lib/services/manifest'
import { parseServicesCommand } from '#lib/services/options'

const help = `understudy services: list and change the services that the cluster starts, stops and registers

  understudy services list [--json]
  understudy services add NAME --unit UNIT [settings]     run it on a machine that has the unit
  understudy services remove NAME                         the unit stays as it is on every machine

A service is a systemd unit of yours, which you install on every member. NAME.service.consul is its name in Consul's DNS:
it leads to the machines on which its check passes. To change a service, remove it and add it again.

  --unit UNIT     the unit: a service, socket, timer, target or path
  --run WHERE     everywhere (default): on every machine, also after a boot
                  active: only on the machine that has the virtual IP and the lock of the primary; a boot does not start
                  it. It is stopped there before the address leaves, for at most a second of waiting.
  --exclusive     with --run active: it runs under a lock of its own and so never on two machines at a time. Where the lock
                  cannot be confirmed, it is killed; after the loss of its machine it starts elsewhere about 17 s later.
  --gives-way     where its check fails for 15 s on the active machine, another machine becomes the active one, with the
                  database where the virtual IP follows the primary; only if one is fit (default: it just fails)
  --check CHECK   http://... or https://...: a URL that must answer with 200 to 299, asked from each machine itself
                  tcp:PORT: a port on 127.0.0.1 that must accept connections
                  anything else: a command of sh, run as the user understudy-checks; it must end with 0 within 3 s. Every
                  local user can read it, so put no password in it.
                  (default: systemd says that the unit is active). Checked every 5 s.
  --json          print JSON
  --help          print this text

Exit codes: 0 done; 64 wrong arguments, or a name or unit that is taken; 69 Consul does not answer, and nothing was
changed; 75 other machines kept changing the list; 78 this machine is not a member, has no such unit, or lacks the
command of the check; nothing was changed.

Examples:
  understudy services add rest --unit manager-rest.service --check http://localhost:8100/status --run active
  understudy services add agent --unit manager-agent --check tcp:8200
  understudy services list
`

/** How long the machines have to set up a new service before the command reports those that have not. */
const SET_UP_MS = 20_000
/** Between two looks whether every machine has set it up. */
const LOOK_AGAIN_MS = 500

const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)

/** The services, as every member sees them. @param {Consul} consul */
async function look(consul) {
  const [list, nodes, members, checks] = await Promise.all([
    consul.get(servicesKeys.list),
    consul.entries(servicesKeys.nodes),
    consul.members(),
    consul.checksStale(),
  ])
  const names = members.filter(({ server }) => server).map(({ name }) => name)
  return reportServices(list?.value ?? NO_SERVICES, nodes, checks, names.sort())
}

/** @param {import('#lib/services/decide-status').ServiceReport} service */
const linesOf = ({ name, unit, run, givesWay, exclusive, check, machines }) => [
  `${name}  ${unit}, ${run === 'active' ? 'on the active machine' : 'everywhere'}${exclusive ? ', under its lock' : ''}${givesWay ? ', gives way' : ''}, check: ${check ?? 'the unit is active'}`,
  ...Object.entries(machines).map(([machine, state]) => `  ${machine}  ${stateText(state)}`),
]

/** Units that the cluster starts and stops itself. */
const ours = () =>
  components.flatMap(({ daemons, package: { units = [], dropIns = [] } }) => [
    ...daemons,
    ...units,
    ...dropIns.map(({ unit }) => unit),
  ])

/** @throws where this machine cannot run the unit. @param {string} unit */
async function checkUnit(unit) {
  const wrong = unitProblem(unit, ours())
  if (wrong !== null) throw usageError(`${wrong}, so it cannot be a service of yours`)
  const shown = await showUnits([unit], ['LoadState', 'Type', 'RemainAfterExit', 'Id'])
  const [load, type, remains, id = unit] = shown.get(unit) ?? []
  if (load === 'not-found')
    throw new UnderstudyError(
      EXIT.config,
      `this machine has no unit ${unit}; install it on every member first`,
    )
  if (load !== 'loaded')
    throw new UnderstudyError(
      EXIT.config,
      `systemd cannot load ${unit} (${load}); see systemctl status ${unit}`,
    )
  if (id !== unit) throw usageError(`${unit} is another name of ${id}; use that one`)
  if (type === 'oneshot' && remains !== 'yes')
    throw new UnderstudyError(EXIT.config, `${unit} is a oneshot unit, which ends by itself; use a timer`)
}

/** @throws where a check is a command that this machine does not have. @param {import('#lib/services/manifest').Service} service */
function checkCommand(service) {
  const kind = kindOf(service)
  if (service.check === null || kind === null || !('command' in kind)) return
  const [program = ''] = kind.command.trim().split(/\s+/)
  const places = program.includes('/')
    ? [program]
    : (process.env['PATH'] ?? '').split(':').map((directory) => join(directory, program))
  const isThere = places.some((path) => {
    try {
      accessSync(path, constants.X_OK)
      return statSync(path).isFile()
    } catch {
      return false
    }
  })
  if (!isThere)
    throw new UnderstudyError(
      EXIT.config,
      `the check "${service.check}" is no URL (http://...), no port (tcp:8080), and this machine has no command ${program}`,
    )
}

/**
 * @param {Consul} consul
 * @param {Extract<import('#lib/services/options').ServicesCommand, { verb: 'add' }>} command
 */
async function add(consul, { name, service }) {
  await checkUnit(service.unit)
  checkCommand(service)
  const taken = [
    ...(await consul.serviceNames()),
    ...components.flatMap((component) =>
      component
        .consul({ kvPrefix: '', postgresqlPort: 5432, postgresqlVersion: 17 })
        .services.map((known) => known.name),
    ),
  ]
  await changeDocument(
    consul,
    servicesKeys.list,
    { what: 'the list of services', empty: NO_SERVICES },
    (document) => withService(document, name, service, taken),
  )
  print(`${name} is a service of the cluster: ${name}.service.consul`)
  const deadline = performance.now() + SET_UP_MS
  for (;;) {
    const machines = Object.entries((await look(consul)).find((one) => one.name === name)?.machines ?? {})
    const isSetUp = machines.every(([, { state, check }]) => state !== 'unknown' && check !== 'critical')
    if (isSetUp || performance.now() >= deadline) {
      for (const [machine, state] of machines) print(`  ${machine}  ${stateText(state)}`)
      return
    }
    await sleep(LOOK_AGAIN_MS)
  }
}

/** @param {string[]} argv */
async function main(argv) {
  const command = parseServicesCommand(argv)
  const { kvPrefix } = requireSettings()
  requireRoot()
  const consul = new Consul({ prefix: kvPrefix })
  if (command.verb === 'list') {
    const services = await look(consul)
    if (command.json) print(JSON.stringify({ schema: 1, services }, null, 2))
    else print(services.flatMap(linesOf).join('\n') || 'the cluster has no services')
  } else if (command.verb === 'add') await add(consul, command)
  else {
    await changeDocument(
      consul,
      servicesKeys.list,
      { what: 'the list of services', empty: NO_SERVICES },
      (document) => withoutService(document, command.name),
    )
    print(`${command.name} is no longer a service of the cluster; its unit stays as it is on every machine`)
  }
}

await runCommand('understudy services', help, main)
