import { valueOrUnknown } from '../core/reading.ts'
import {
  type Cell,
  type Member,
  type Seen,
  type StatusSection,
  textOf,
  type ValueOrGap,
} from '../core/status.ts'
import { duration } from '../core/text.ts'
import { UNKNOWN } from '../core/unknown.ts'
import {
  type ConsulFields,
  type ConsulMachine,
  type ConsulReadings,
  type ConsulReport,
  clusterSettings,
  consulLeader,
  consulMachineProblems,
  consulProblems,
  lockOf,
  primaryOf,
  publishedOf,
  reaches,
  strangers,
} from './decide-status.ts'
import type { Context } from './handler.ts'
import { consulKeys } from './manifest.ts'

/** Consul's section of the status: members, votes, the lock and the published primary. */
export const section: StatusSection<Context, Seen<ConsulReadings>, ConsulReport> = {
  askConsul: ({ consul }) =>
    ({
      leader: consul.leader(),
      members: consul.members(),
      voters: consul.voters(),
      config: consul.getStale(consulKeys.config),
      nodes: consul.listStale(consulKeys.nodes),
      lock: consul.getStale(consulKeys.leader),
      published: consul.getStale(consulKeys.primary),
    }) satisfies Record<keyof ConsulReadings, unknown>,

  fields,
  machineFields,

  columns: { headings: ['CONSUL'], cells: (machine) => [consulCell(machine)] },
  clusterLine,
  healthyPhrase: ({ primary }) => `${String(primary)} is the primary`,

  answers: ({ consul }) => consul !== 'failed',
  problems: consulProblems,
  machineProblems: consulMachineProblems,
  notes: ({ joining }) => joining.map((name) => `${name} runs a Consul server but has not joined (yet)`),
}

function fields(seen: Seen<ConsulReadings>, valueOrGap: ValueOrGap): ConsulFields {
  const { consul, members } = seen
  const leader = valueOrGap(null, 'Consul leader', consulLeader(seen))
  const lock = valueOrGap(null, 'lock', consul.lock)
  const published = valueOrGap(null, 'published primary', consul.published)
  // Used by other sections.
  valueOrGap(null, 'settings of the cluster', clusterSettings(consul))
  valueOrGap(null, 'list of members', consul.nodes)
  valueOrGap(null, 'Consul votes', consul.voters)
  return {
    consul: { answers: Object.values(consul).some((reading) => 'value' in reading), leader },
    lock: lock === UNKNOWN ? UNKNOWN : lockOf(lock),
    published: published === UNKNOWN ? UNKNOWN : publishedOf(published),
    primary: primaryOf(consul),
    joining: strangers(members, consul),
  }
}

function machineFields(
  { name }: Member,
  seen: Seen<ConsulReadings>,
  valueOrGap: ValueOrGap,
): Pick<ConsulMachine, 'consul' | 'voter'> {
  const reached = valueOrGap(name, 'Consul', reaches(name, seen.consul))
  const voters = valueOrUnknown(seen.consul.voters)
  return { consul: stateOf(), voter: voters === UNKNOWN ? UNKNOWN : voters.includes(name) }

  function stateOf(): ConsulMachine['consul'] {
    if (reached === UNKNOWN) return UNKNOWN
    if (!reached) return 'failed'
    return valueOrUnknown(consulLeader(seen)) === name ? 'leader' : 'alive'
  }
}

function clusterLine({ lock, consul, at }: ConsulReport): string[] {
  const outdated = consul.leader === null ? ['as Consul last knew it'] : []
  if (lock === UNKNOWN) return ['epoch unknown', ...outdated]
  if (lock === null) return ['no epoch yet', ...outdated]
  const since = lock.since.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')
  const age = duration((Date.parse(at) - Date.parse(lock.since)) / 1000)
  const taken = lock.held ? `lock held by ${lock.node} since` : `lock free; last taken by ${lock.node} at`
  return [`epoch ${lock.epoch}, ${taken} ${since} (${age}${lock.held ? '' : ' ago'})`, ...outdated]
}

function consulCell({ consul, voter }: ConsulMachine): Cell {
  if (consul === 'failed' || consul === UNKNOWN) return { text: textOf(consul), tone: 'bad' }
  return voter === false ? { text: `${consul}, no vote`, tone: 'bad' } : { text: consul }
}
