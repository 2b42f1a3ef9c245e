import type { ConsulMachine, ConsulReport } from '../consul/decide-status.ts'
import type { Context } from '../consul/handler.ts'
import type { Reading } from '../core/reading.ts'
import {
  type Cell,
  type Member,
  type Seen,
  type StatusSection,
  unknownCell,
  type ValueOrGap,
} from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type PostgresqlSeen, portOf } from '../postgresql/decide-status.ts'
import { useMonitorPassword } from '../postgresql/observe-status.ts'
import { NOBODY } from './config.ts'
import type { PoolTarget } from './console.ts'
import { askPgbouncer } from './observe-status.ts'

type PoolerSeen = Seen<PostgresqlSeen['consul'], object, { pgbouncer: Reading<PoolTarget | null> }>

interface PoolerState {
  host: string
  port: number
  /** The machine whose database that is, or null. */
  target: string | null
  /** Clients are held back. */
  paused: boolean
}

export interface PoolerMachine {
  /** null where PgBouncer runs but does not know the database. */
  pgbouncer: PoolerState | null | Unknown
}

interface PoolerReport extends ConsulReport {
  machines: (ConsulMachine & PoolerMachine)[]
}

/** PgBouncer's section of the status: where it sends its clients. */
export const section: StatusSection<Context, PoolerSeen, PoolerReport> = {
  askMachine({ address }, { settings }, timeoutMs) {
    useMonitorPassword()
    return { pgbouncer: askPgbouncer(address, settings.database, timeoutMs) }
  },

  machineFields,

  columns: {
    headings: ['PGBOUNCER'],
    cells: ({ pgbouncer }, { primary }) => [pgbouncerCell(pgbouncer, primary)],
  },

  answers: ({ pgbouncer }) => pgbouncer !== UNKNOWN,
  machineProblems,
}

function machineFields({ name }: Member, seen: PoolerSeen, valueOrGap: ValueOrGap): PoolerMachine {
  const asked = seen.machines.get(name)?.pgbouncer ?? { why: 'it was not asked' }
  const answer = valueOrGap(name, 'PgBouncer', asked)
  if (answer === null || answer === UNKNOWN) return { pgbouncer: answer }
  const { host, port, paused } = answer
  const target = seen.members.find((member) => member.address === host && portOf(member.name, seen) === port)
  return { pgbouncer: { host, port, target: target?.name ?? null, paused } }
}

/** Where a PgBouncer points, in one word. */
export function targetOf({ host, port, target }: PoolerState): string {
  if (target !== null) return target
  return host === NOBODY.address && port === NOBODY.port ? 'nobody' : `${host}:${port}`
}

function machineProblems({ name, pgbouncer }: PoolerReport['machines'][number], { primary }: PoolerReport) {
  if (pgbouncer === UNKNOWN) return [`PgBouncer on ${name} does not answer`]
  if (pgbouncer === null) return [`PgBouncer on ${name} does not know the database`]
  const problems: string[] = []
  if (primary !== null && primary !== UNKNOWN && pgbouncer.target !== primary) {
    problems.push(`PgBouncer on ${name} points at ${targetOf(pgbouncer)}, not at ${primary}`)
  }
  if (pgbouncer.paused) problems.push(`PgBouncer on ${name} holds its clients back`)
  return problems
}

function pgbouncerCell(pgbouncer: PoolerMachine['pgbouncer'], primary: PoolerReport['primary']): Cell {
  if (pgbouncer === UNKNOWN) return unknownCell
  if (pgbouncer === null) return { text: 'no database', tone: 'bad' }
  const text = pgbouncer.paused ? `${targetOf(pgbouncer)}, paused` : targetOf(pgbouncer)
  const right =
    !pgbouncer.paused && pgbouncer.target !== null && (primary === UNKNOWN || pgbouncer.target === primary)
  return right ? { text } : { text, tone: 'bad' }
}
