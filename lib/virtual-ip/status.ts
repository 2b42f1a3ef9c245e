import {
  type ConsulMachine,
  type ConsulReadings,
  type ConsulReport,
  clusterSettings,
  whyOutdated,
} from '../consul/decide-status.ts'
import type { Entry } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import type { PlacementPolicy } from '../consul/manifest.ts'
import { holdsAddress } from '../core/interfaces.ts'
import { type Reading, valueFrom, valueOrUnknown } from '../core/reading.ts'
import {
  type Cell,
  type Member,
  type Seen,
  type StatusSection,
  textOf,
  type ValueOrGap,
} from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type KeepalivedNode, virtualIpKeys } from './manifest.ts'

export interface VirtualIpReadings {
  keepalived: Reading<ReadonlyMap<string, Entry<KeepalivedNode>>>
}

/** Whether the virtual IP is on an interface of this machine. */
export interface VirtualIpHere {
  holdsVirtualIp: Reading<boolean>
}

type VirtualIpSeen = Seen<ConsulReadings & VirtualIpReadings, VirtualIpHere>

export interface VirtualIpFields {
  virtualIp: string
  policy: PlacementPolicy | Unknown
}

export interface VirtualIpMachine {
  /** First-hand on the machine that looked, as published by keepalived's notify elsewhere. */
  virtualIp: 'holder' | 'backup' | 'fault' | 'stopped' | Unknown
}

interface VirtualIpReport extends ConsulReport, VirtualIpFields {
  machines: (ConsulMachine & VirtualIpMachine)[]
}

/** keepalived's section of the status: which machine holds the virtual IP. */
export const section: StatusSection<Context, VirtualIpSeen, VirtualIpReport> = {
  askConsul: ({ consul }) =>
    ({ keepalived: consul.listStale(virtualIpKeys.nodes) }) satisfies Record<
      keyof VirtualIpReadings,
      unknown
    >,
  askHere: ({ settings }) =>
    ({ holdsVirtualIp: Promise.resolve(holdsAddress(settings.virtualIp)) }) satisfies Record<
      keyof VirtualIpHere,
      unknown
    >,

  fields({ settings, consul }): VirtualIpFields {
    const config = valueOrUnknown(clusterSettings(consul))
    return {
      virtualIp: (config === UNKNOWN ? settings : config).virtualIp?.split('/')[0] ?? '',
      policy: config === UNKNOWN ? UNKNOWN : config.policy,
    }
  },
  machineFields: ({ name }: Member, seen, valueOrGap: ValueOrGap): VirtualIpMachine => ({
    virtualIp: valueOrGap(name, 'virtual IP', stateOf(name, seen)),
  }),

  columns: { headings: ['VIRTUAL IP'], after: 'CONSUL', cells: ({ virtualIp }) => [cellOf(virtualIp)] },
  clusterLine: ({ virtualIp, policy }) => [
    `virtual IP ${virtualIp} (${policy === UNKNOWN ? 'policy unknown' : POLICIES[policy]})`,
  ],
  healthyPhrase({ machines, primary, virtualIp }) {
    const holder = machines.find((machine) => machine.virtualIp === 'holder')?.name
    return `${holder === primary ? ' and' : `, ${holder}`} holds ${virtualIp}`
  },

  problems,
  machineProblems({ name, virtualIp }) {
    if (virtualIp === 'fault') return [`keepalived on ${name} has a fault and cannot hold the virtual IP`]
    return virtualIp === 'stopped' ? [`keepalived on ${name} is stopped`] : []
  },
}

const STATES = { MASTER: 'holder', BACKUP: 'backup', FAULT: 'fault', STOP: 'stopped' } as const

function stateOf(
  name: string,
  { settings, here, consul }: VirtualIpSeen,
): Reading<VirtualIpMachine['virtualIp']> {
  const published = valueFrom(consul.keepalived)?.get(name)?.value.state
  if (name === settings.node) {
    if (valueFrom(here.holdsVirtualIp)) return { value: 'holder' }
    return { value: published === undefined || published === 'MASTER' ? 'backup' : STATES[published] }
  }
  if ('why' in consul.keepalived) return consul.keepalived
  const outdated = whyOutdated(name, 'what it published', consul)
  if (outdated) return outdated
  return published === undefined
    ? { why: `${name} has not published the state of its keepalived yet` }
    : { value: STATES[published] }
}

function problems({ machines, virtualIp, policy, primary, consul }: VirtualIpReport): string[] {
  const holders = machines.filter((machine) => machine.virtualIp === 'holder').map(({ name }) => name)
  const [holder, ...more] = holders
  if (more.length > 0) return [`${holders.join(' and ')} hold ${virtualIp} at the same time`]
  if (holder === undefined) {
    // Without news of the others it says nothing that this machine does not hold it.
    if (!consul.answers) return []
    const known = machines.every((machine) => machine.virtualIp !== UNKNOWN)
    if (known) return [`no machine holds ${virtualIp}`]
    // Without a leader, what the others hold is not known anyway, and that is said already.
    return consul.leader === null ? [] : [`no machine is known to hold ${virtualIp}`]
  }
  const follows = policy === 'with-primary' && primary !== null && primary !== UNKNOWN
  return follows && holder !== primary ? [`${holder} holds ${virtualIp}, but ${primary} is the primary`] : []
}

const POLICIES = { 'with-primary': 'follows the primary', fixed: 'stays by priority' }

function cellOf(state: VirtualIpMachine['virtualIp']): Cell {
  if (state === 'holder') return { text: state, tone: 'good' }
  return state === 'backup' ? { text: '-' } : { text: textOf(state), tone: 'bad' }
}
