import {
  type ConsulMachine,
  type ConsulReadings,
  type ConsulReport,
  primaryOf,
} from '../consul/decide-status.ts'
import type { Entry } from '../consul/entry.ts'
import type { DurabilityMode } from '../consul/manifest.ts'
import { type Reading, valueFrom } from '../core/reading.ts'
import type { Seen } from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type HotStandbySettings, type Shortage, sayShortages } from './decide-hot-standby.ts'
import { type SettingInEffect, settingProblems } from './decide-settings.ts'
import type { PostgresqlNode, Sync } from './manifest.ts'
import type { LocalDatabase } from './role.ts'

/** The smallest cluster that can lose a machine and still elect. */
const FAILOVER_MACHINES = 3

interface UnsafeSettings {
  /** Settings under which acknowledged commits may be lost; only where there are any. */
  unsafe?: readonly SettingInEffect[]
}

interface AnsweredSettings extends UnsafeSettings {
  hotStandby: HotStandbySettings
}

/** What a database says of itself and of its replication. */
export type DatabaseAnswer =
  | (LocalDatabase & { role: 'primary'; position: bigint } & AnsweredSettings)
  | (LocalDatabase & {
      role: 'standby'
      position: bigint
      streaming: boolean
      upstream: string | null
    } & AnsweredSettings)
  | { role: 'down' }

export interface PostgresqlReadings {
  databases: Reading<ReadonlyMap<string, Entry<PostgresqlNode>>>
  sync: Reading<Entry<Sync> | null>
}

export type PostgresqlSeen = Seen<
  ConsulReadings & PostgresqlReadings,
  object,
  { postgresql: Reading<DatabaseAnswer> }
>

export interface PostgresqlFields {
  /** What a commit waits for. */
  durability: DurabilityMode | Unknown
  /** Who may take over, as the primary last wrote it; null where none has. */
  election: Omit<Sync, 'schema'> | null | Unknown
}

export interface PostgresqlMachine {
  postgresql:
    | ({ role: 'primary'; timeline: number } & UnsafeSettings)
    | ({
        role: 'standby'
        timeline: number
        streaming: boolean
        upstream: string | null
        lagBytes: number | Unknown
        /** Replay is paused; with what is too small here, if that is why. */
        paused?: readonly Shortage[]
      } & UnsafeSettings)
    | { role: 'down' }
    | Unknown
}

type PostgresqlStatusMachine = ConsulMachine & PostgresqlMachine

export interface PostgresqlReport extends ConsulReport, PostgresqlFields {
  machines: PostgresqlStatusMachine[]
}

/** Where the database of a member listens; without Consul's answer as here. */
export const portOf = (
  name: string,
  { settings, consul }: Pick<PostgresqlSeen, 'settings'> & { consul: Partial<PostgresqlReadings> },
): number =>
  (consul.databases && valueFrom(consul.databases)?.get(name)?.value.port) ?? settings.postgresqlPort

/** What the primary says; where Consul does not name one, the only database that runs as one. */
export function primaryAnswer({
  consul,
  machines,
}: PostgresqlSeen): (DatabaseAnswer & { role: 'primary' }) | null {
  const running = [...machines].flatMap(([name, { postgresql }]) => {
    const answer = valueFrom(postgresql)
    return answer?.role === 'primary' ? [{ name, answer }] : []
  })
  const primary = primaryOf(consul)
  const chosen =
    running.find(({ name }) => name === primary) ?? (running.length === 1 ? running[0] : undefined)
  return chosen?.answer ?? null
}

export function electionOf(entry: Entry<Sync> | null): Omit<Sync, 'schema'> | null {
  if (entry === null) return null
  const { node, voters, need } = entry.value
  return { node, voters, need }
}

/** A cluster whose primary could not be replaced is not healthy, even if everything runs. */
export function electionProblems({ election, primary, machines, durability }: PostgresqlReport): string[] {
  const streams = machines.some(
    ({ postgresql }) => postgresql !== UNKNOWN && 'streaming' in postgresql && postgresql.streaming,
  )
  if (durability === 'strict' && primary && primary !== UNKNOWN && !streams)
    return ['writes wait: no standby streams, and durability is strict']
  if (machines.length < FAILOVER_MACHINES || election === UNKNOWN || primary === UNKNOWN || primary === null)
    return []
  if (election !== null && election.node === primary && election.voters.length > 0) return []
  return [`no standby can replace ${primary}: none is known to have every acknowledged commit`]
}

export function postgresqlNotes({ machines, consul, election }: PostgresqlReport): string[] {
  const notes: string[] = []
  if (consul.answers && machines.length < FAILOVER_MACHINES) {
    const count = machines.length === 1 ? 'one machine' : 'two machines'
    notes.push(`no failover is possible with ${count}; at least ${FAILOVER_MACHINES} are needed`)
  }
  if (election === UNKNOWN || election === null || election.voters.length === 0) return notes
  const others = machines.map(({ name }) => name).filter((name) => name !== election.node)
  const missing = others.filter((name) => !election.voters.includes(name))
  if (missing.length > 0) {
    const they = missing.length === 1 ? 'it' : 'they'
    notes.push(
      `${missing.join(' and ')} cannot be promoted yet, because ${they} may lack acknowledged commits`,
    )
  }
  return notes
}

export function postgresqlProblems(machine: PostgresqlStatusMachine, report: PostgresqlReport): string[] {
  const { name, postgresql } = machine
  const unsafe = postgresql !== UNKNOWN && 'unsafe' in postgresql ? postgresql.unsafe : undefined
  const settings = settingProblems(unsafe ?? [], report.durability)
  return [...roleProblems(machine, report), ...settings.map((problem) => `PostgreSQL on ${name}: ${problem}`)]
}

function roleProblems({ name, postgresql }: PostgresqlStatusMachine, report: PostgresqlReport): string[] {
  const { primary, published } = report
  if (postgresql === UNKNOWN) return [`PostgreSQL on ${name} does not answer`]
  if (postgresql.role === 'down') return [`PostgreSQL on ${name} is down`]
  if (postgresql.role === 'primary') return primaryProblems(name, postgresql.timeline, report)
  if (name === primary) return [`${name} is published as the primary, but its PostgreSQL is a standby`]
  const problems: string[] = []
  if (postgresql.paused) {
    const why = sayShortages(postgresql.paused) || 'replay is paused'
    problems.push(
      `PostgreSQL on ${name} does not replay WAL (${why}); a promotion would have to resume replay first`,
    )
  }
  if (!postgresql.streaming) return [...problems, `PostgreSQL on ${name} does not stream from the primary`]
  if (primary === null || primary === UNKNOWN || !published || published === UNKNOWN) return problems
  if (postgresql.upstream !== published.address) {
    problems.push(
      `PostgreSQL on ${name} streams from ${machineAt(postgresql.upstream, report)}, not from ${primary}`,
    )
  }
  if (postgresql.timeline !== published.timeline) {
    problems.push(`${name} is on timeline ${postgresql.timeline}, the primary on ${published.timeline}`)
  }
  return problems
}

function primaryProblems(name: string, timeline: number, { primary, published }: PostgresqlReport): string[] {
  if (primary === UNKNOWN) return []
  if (primary === null) return [`PostgreSQL on ${name} runs as a primary without the lock`]
  if (name !== primary) return [`PostgreSQL on ${name} runs as a primary, but ${primary} is the primary`]
  if (!published || published === UNKNOWN || published.timeline === timeline) return []
  return [`${name} is on timeline ${timeline}, but was published on timeline ${published.timeline}`]
}

const machineAt = (address: string | null, { machines }: PostgresqlReport): string =>
  machines.find((machine) => machine.address === address)?.name ?? address ?? 'nobody'
