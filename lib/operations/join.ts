import { Consul } from '../consul/client.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { systemGroup, systemUser } from '../core/users.ts'
import { builtMs } from '../core/version.ts'
import { lookAround } from './look.ts'
import { answersToArp, type MachineFacts, readMachine } from './machine.ts'
import type { JoinOptions } from './options.ts'
import { checkMachine, type Placement, placeMachine } from './preflight.ts'
import { firstSteps, type Joining, joinerSteps, type Step } from './steps.ts'

/**
 * Looks at the machine and, for a joiner, into the cluster; changes nothing.
 * @returns the steps that make this machine a member, in order.
 * @throws one sentence where it cannot become one.
 */
export async function planJoin(options: JoinOptions): Promise<Step[]> {
  const machine = await readMachine()
  checkMachine(machine, builtMs)
  const cluster = options.as === 'joiner' ? await lookAround(machine, options) : null
  const virtualIp = cluster?.config.virtualIp ?? (options.as === 'first' ? options.virtualIp : '')
  const placement = placeMachine(machine, virtualIp, options.interface)
  if (options.as === 'first') await checkFirst(options, machine, placement)
  const joining: Joining = {
    options,
    machine,
    cluster,
    placement,
    version: cluster?.config.postgresqlVersion ?? Math.max(...machine.postgresqlVersions),
    consul: new Consul(),
    users: {
      postgres: await systemUser('postgres'),
      consul: await systemUser('consul'),
      syncthing: await systemUser('understudy-syncthing'),
      filesGroup: await systemGroup('understudy-files'),
    },
  }
  return options.as === 'first' ? firstSteps(joining, options) : joinerSteps(joining)
}

async function checkFirst(
  options: JoinOptions & { as: 'first' },
  machine: MachineFacts,
  placement: Placement,
): Promise<void> {
  if (machine.settings) {
    if (machine.settings.virtualIp === options.virtualIp) return
    throw new UnderstudyError(
      EXIT.usage,
      `this machine is a member of the cluster with the virtual IP ${machine.settings.virtualIp} already`,
    )
  }
  const [address] = options.virtualIp.split('/') as [string]
  if (await answersToArp(placement.interface, address)) {
    throw new UnderstudyError(
      EXIT.config,
      `something else answers to the virtual IP ${address} on ${placement.interface}; choose a free address`,
    )
  }
}
