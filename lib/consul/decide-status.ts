import { type Reading, valueFrom } from '../core/reading.ts'
import type { MachineReport, Member, Report, Seen } from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Entry } from './entry.ts'
import { currentPrimary, epochOf } from './leadership.ts'
import type { Config, Leader, NodeDocument, Primary } from './manifest.ts'

/** What Consul is asked; every section of the status may use the answers. */
export interface ConsulReadings {
  /** Address and port of the leader. */
  leader: Reading<string | null>
  members: Reading<readonly { name: string; address: string; alive: boolean; server: boolean }[]>
  /** Names of the servers that count for a majority. */
  voters: Reading<readonly string[]>
  config: Reading<Entry<Config> | null>
  nodes: Reading<ReadonlyMap<string, Entry<NodeDocument>>>
  lock: Reading<Entry<Leader> | null>
  published: Reading<Entry<Primary> | null>
}

interface PrimaryLock {
  held: boolean
  /** Who holds it, or held it last. */
  node: string
  since: string
  why: string
  epoch: number
}

export interface ConsulFields {
  consul: {
    /** Does the agent of this machine answer at all? */
    answers: boolean
    /** Name of the machine that leads the Raft group; null without a quorum. */
    leader: string | null | Unknown
  }
  /** The lock of the primary; null where it was never taken. */
  lock: PrimaryLock | null | Unknown
  /** What PgBouncer and the standbys follow; null where nothing was published. */
  published: Omit<Primary, 'schema' | 'index'> | null | Unknown
  /** Name of the machine that is published and holds the lock it was published under. */
  primary: string | null | Unknown
  /** Servers that Consul knows but that are not members (yet). */
  joining: string[]
}

export interface ConsulMachine extends MachineReport {
  consul: 'leader' | 'alive' | 'failed' | Unknown
  /** Does its Consul server count for a majority? A new one does only after a while. */
  voter: boolean | Unknown
}

export interface ConsulReport extends Report, ConsulFields {
  machines: ConsulMachine[]
}

/** The settings of the cluster. */
export function clusterSettings({ config }: Pick<ConsulReadings, 'config'>): Reading<Config> {
  if ('why' in config) return config
  if (config.value === null) return { why: 'the cluster has no configuration in Consul' }
  return { value: config.value.value }
}

/** Name of the machine that is published and holds the lock it was published under; null where there is none. */
export function primaryOf({
  lock,
  published,
}: Pick<ConsulReadings, 'lock' | 'published'>): string | null | Unknown {
  if ('why' in lock || 'why' in published) return UNKNOWN
  return currentPrimary({ leader: lock.value, primary: published.value?.value ?? null })?.node ?? null
}

/** Whether Consul's gossip reaches a machine. */
export function reaches(name: string, { members }: Pick<ConsulReadings, 'members'>): Reading<boolean> {
  if ('why' in members) return members
  return { value: members.value.some((member) => member.name === name && member.alive) }
}

/**
 * Why what a machine has written into Consul may be old, or null where it is current: nothing that it wrote before it was cut off
 * counts, and without a leader nobody can write.
 */
export function whyOutdated(
  name: string,
  what: string,
  consul: Pick<ConsulReadings, 'members' | 'leader'>,
): { why: string } | null {
  const reached = reaches(name, consul)
  if ('value' in reached && !reached.value)
    return { why: `Consul cannot reach ${name}, so ${what} may be old` }
  const { leader } = consul
  if ('why' in leader) return leader
  return leader.value === null ? { why: 'Consul has no leader, so what it holds may be old' } : null
}

/** The name of the machine that leads Consul; its address where nobody has it. */
export function consulLeader({ consul, members }: Seen<ConsulReadings>): Reading<string | null> {
  const { leader } = consul
  if ('why' in leader || leader.value === null) return leader
  const address = leader.value.replace(/:\d+$/, '')
  // A client that once ran at this address may be remembered beside the server.
  const servers = (valueFrom(consul.members) ?? []).filter(({ server }) => server)
  const found = [...servers, ...members].find((machine) => machine.address === address)
  return { value: found?.name ?? address }
}

/** Living Consul servers that are not members. Without the list of members nothing can be said. */
export const strangers = (members: readonly Member[], consul: ConsulReadings): string[] =>
  'why' in consul.nodes
    ? []
    : (valueFrom(consul.members) ?? [])
        .filter(({ name, server, alive }) => server && alive && !members.some((one) => one.name === name))
        .map(({ name }) => name)
        .sort()

export function lockOf(entry: Entry<Leader> | null): PrimaryLock | null {
  if (entry === null) return null
  const { node, since, why } = entry.value
  return { held: entry.session !== null, node, since, why, epoch: entry.modifyIndex }
}

export function publishedOf(entry: Entry<Primary> | null): ConsulFields['published'] {
  if (entry === null) return null
  const { node, address, port, timeline } = entry.value
  return { node, address, port, timeline, epoch: epochOf(entry.value) }
}

/** What is wrong with Consul, and with the lock and the published primary in it. */
export const consulProblems = (report: ConsulReport): string[] => [
  ...agentProblems(report),
  ...leadershipProblems(report),
]

function agentProblems({ consul, observer }: ConsulReport): string[] {
  if (!consul.answers) return [`Consul on ${observer} does not answer: only ${observer} itself is shown`]
  if (consul.leader === null)
    return ['Consul has no leader (no majority of the servers): failover is suspended']
  if (consul.leader === UNKNOWN) return [`Consul on ${observer} does not say whether it has a leader`]
  return []
}

function leadershipProblems({ lock, published, primary, machines, consul }: ConsulReport): string[] {
  if (!consul.answers) return []
  if (lock === UNKNOWN || published === UNKNOWN)
    return ['Consul does not say who holds the lock of the primary']
  if (published === null) return ['no primary has been published yet']
  const { node } = published
  if (!machines.some(({ name }) => name === node))
    return [`${node} is published as the primary but is not a member`]
  if (primary !== null) return []
  if (!lock?.held) return [`nobody holds the lock of the primary (${node} is published)`]
  if (lock.node !== node) return [`${lock.node} holds the lock, but ${node} is published as the primary`]
  return [
    `${node} holds the lock under epoch ${lock.epoch}, but was published under epoch ${published.epoch}`,
  ]
}

export const consulMachineProblems = ({ name, consul, voter }: ConsulMachine): string[] => [
  ...(consul === 'failed' ? [`Consul cannot reach ${name}`] : []),
  ...(voter === false
    ? [`Consul's server on ${name} has no vote (yet): it does not count for a majority`]
    : []),
]
