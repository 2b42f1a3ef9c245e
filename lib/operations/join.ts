import { components } from '../components.ts'
import { Consul } from '../consul/client.ts'
import type { FirstOptions, JoinerOptions, Joining, JoinOptions } from '../consul/joining.ts'
import { builtMs, version } from '../core/version.ts'
import { joinParts, joinSteps, lookAround } from './join-parts.ts'
import { throughCluster } from './look.ts'
import { readMachine } from './machine.ts'
import { checkFirst, checkMachine, placeMachine } from './preflight.ts'

/** A step of a join that is ready to run. */
export interface PlannedStep {
  title: string
  /** @param tell takes how far a long step is. */
  run(tell: (progress: string) => void): Promise<void>
}

/**
 * Looks at the machine and, for a joiner, into the cluster; changes nothing.
 * @returns the steps that make this machine a member, in order.
 * @throws one sentence where it cannot become one.
 */
export async function planJoin(options: JoinOptions): Promise<PlannedStep[]> {
  const machine = readMachine(components)
  checkMachine(machine, builtMs)
  const parts = await joinParts(components)
  const known = { version, machine, components, parts, seat: null, postgresql: null }
  const looked = options.as === 'first' ? await lookFirst(options, known) : await lookJoiner(options, known)
  // The Consul that a joiner has looked through is gone.
  const joining: Joining = { ...looked, consul: new Consul() }
  return joinSteps(parts, options.as).map(({ title, run }) => ({ title, run: (tell) => run(joining, tell) }))
}

type Known = Pick<Joining, 'version' | 'machine' | 'components' | 'parts' | 'seat' | 'postgresql'>

async function lookFirst(options: FirstOptions, known: Known): Promise<Joining> {
  const placement = placeMachine(known.machine, options.virtualIp, options.interface)
  checkFirst(known.machine, options)
  return lookAround({ ...known, options, placement, consul: new Consul(), realm: null, cluster: null })
}

const lookJoiner = (options: JoinerOptions, known: Known): Promise<Joining> =>
  throughCluster(options, known.machine, async (consul, cluster) => {
    const placement = placeMachine(known.machine, cluster.config.virtualIp, options.interface)
    const realm = await consul.realm()
    return lookAround({ ...known, options, placement, consul, realm, cluster })
  })
