import { components } from '../components.ts'
import { Consul } from '../consul/client.ts'
import type { FirstOptions, JoinerOptions, Joining, JoinOptions } from '../consul/joining.ts'
import type { ThroughProbe } from '../consul/probe.ts'
import { type ClusterSettings, wantedBy } from '../core/component.ts'
import { addressTowards } from '../core/source-address.ts'
import { builtMs, version } from '../core/version.ts'
import { joinGroups, joinParts, lookAround } from './join-parts.ts'
import { throughCluster } from './look.ts'
import { readMachine } from './machine.ts'
import { checkFirst, checkMachine, placeMachine } from './preflight.ts'

/** A step of a join that is ready to run. */
export interface PlannedStep {
  title: string
  /** @param tell takes how far a long step is. */
  run(tell: (progress: string) => void): Promise<void>
}

/** What is to be done, and what still goes on. */
export interface PlannedJoin {
  /** The steps that make this machine a member, in order. Those of one group may run side by side. */
  groups: PlannedStep[][]
  /** What a joiner has looked through has left the cluster. */
  left: Promise<void>
}

/**
 * Looks at the machine and, for a joiner, into the cluster; changes nothing.
 * @throws one sentence where it cannot become one.
 */
export async function planJoin(options: JoinOptions): Promise<PlannedJoin> {
  const machine = readMachine(components)
  checkMachine(machine, builtMs)
  const known = { version, machine, seat: null, postgresql: null }
  const { result: looked, left } =
    options.as === 'first'
      ? { result: await lookFirst(options, known), left: Promise.resolve() }
      : await lookJoiner(options, known)
  // The Consul that a joiner has looked through goes.
  const joining: Joining = { ...looked, consul: new Consul() }
  const groups = joinGroups(joining.parts, options.as).map((steps) =>
    steps.map(({ title, run }): PlannedStep => ({ title, run: (tell) => run(joining, tell) })),
  )
  return { groups, left }
}

type Known = Pick<Joining, 'version' | 'machine' | 'seat' | 'postgresql'>

async function lookFirst(options: FirstOptions, known: Known): Promise<Joining> {
  const towards = options.virtualIp ?? options.network
  const source = towards === undefined ? null : await sourceTowards(towards)
  const placement = placeMachine(known.machine, options, options.interface, source)
  checkFirst(known.machine, options)
  const consul = new Consul()
  const parts = await partsOf(options)
  return lookAround({ ...known, ...parts, options, placement, consul, realm: null, cluster: null })
}

/** What such a cluster is made of, and what that does in a join. */
async function partsOf(settings: ClusterSettings): Promise<Pick<Joining, 'components' | 'parts'>> {
  const wanted = wantedBy(settings, components)
  return { components: wanted, parts: await joinParts(wanted) }
}

/** The address from which this machine reaches another, null where it reaches it from nowhere. */
const sourceTowards = (address: string): Promise<string | null> =>
  addressTowards(address.split('/')[0] ?? '').catch(() => null)

const lookJoiner = (options: JoinerOptions, known: Known): Promise<ThroughProbe<Joining>> =>
  throughCluster(options, known.machine, async (consul, cluster) => {
    const [member = ''] = options.consulJoin
    const source = await sourceTowards(member)
    const placement = placeMachine(known.machine, cluster.config, options.interface, source)
    const realm = await consul.realm()
    const parts = await partsOf(cluster.config)
    return lookAround({ ...known, ...parts, options, placement, consul, realm, cluster })
  })
