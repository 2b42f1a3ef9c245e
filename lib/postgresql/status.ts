import { clusterSettings } from '../consul/decide-status.ts'
import type { Context } from '../consul/handler.ts'
import { valueOrUnknown } from '../core/reading.ts'
import {
  type Cell,
  type Member,
  type StatusSection,
  textOf,
  unknownCell,
  type ValueOrGap,
} from '../core/status.ts'
import { bytes } from '../core/text.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { localDatabase, remoteDatabase } from './database.ts'
import { shortagesOf } from './decide-hot-standby.ts'
import {
  electionOf,
  electionProblems,
  type PostgresqlFields,
  type PostgresqlMachine,
  type PostgresqlReadings,
  type PostgresqlReport,
  type PostgresqlSeen,
  portOf,
  postgresqlNotes,
  postgresqlProblems,
  primaryAnswer,
} from './decide-status.ts'
import { postgresqlKeys } from './manifest.ts'
import { askPostgresql, useMonitorPassword } from './observe-status.ts'

/** PostgreSQL's section of the status: role, replication, and who may take over. */
export const section: StatusSection<Context, PostgresqlSeen, PostgresqlReport> = {
  askConsul: ({ consul }) =>
    ({
      databases: consul.listStale(postgresqlKeys.nodes),
      sync: consul.getStale(postgresqlKeys.sync),
    }) satisfies Record<keyof PostgresqlReadings, unknown>,

  askMachine({ name, address }, known, timeoutMs) {
    useMonitorPassword()
    const port = portOf(name, known)
    const here = name === known.settings.node
    const database = here ? localDatabase('understudy_monitor', port) : remoteDatabase(address, port)
    return { postgresql: askPostgresql(database, timeoutMs, address) }
  },

  fields,
  machineFields,

  columns: { headings: ['POSTGRESQL', 'TIMELINE', 'LAG'], cells },
  clusterLine: ({ durability }) => [`durability ${textOf(durability)}`],

  answers: ({ postgresql }) => postgresql !== UNKNOWN,
  problems: electionProblems,
  machineProblems: postgresqlProblems,
  notes: postgresqlNotes,
}

function fields({ consul }: PostgresqlSeen, valueOrGap: ValueOrGap): PostgresqlFields {
  const sync = valueOrGap(null, 'who may take over', consul.sync)
  const config = valueOrUnknown(clusterSettings(consul))
  return {
    durability: config === UNKNOWN ? UNKNOWN : config.durability,
    election: sync === UNKNOWN ? UNKNOWN : electionOf(sync),
  }
}

function machineFields({ name }: Member, seen: PostgresqlSeen, valueOrGap: ValueOrGap): PostgresqlMachine {
  const asked = seen.machines.get(name)?.postgresql ?? { why: 'it was not asked' }
  const answer = valueOrGap(name, 'PostgreSQL', asked)
  if (answer === UNKNOWN || answer.role === 'down') return { postgresql: answer }
  const { timeline, unsafe } = answer
  const settings = unsafe === undefined ? {} : { unsafe }
  if (answer.role === 'primary') return { postgresql: { role: 'primary', timeline, ...settings } }
  const { streaming, upstream, position, hotStandby } = answer
  const primary = primaryAnswer(seen)
  const paused = answer.paused && { paused: primary ? shortagesOf(hotStandby, primary.hotStandby) : [] }
  const lagBytes = valueOrGap(
    name,
    'lag',
    primary === null
      ? { why: "the primary's position is not known" }
      : // Both were read at slightly different times: a standby that keeps up may look ahead.
        { value: Math.max(0, Number(primary.position - position)) },
  )
  return { postgresql: { role: 'standby', timeline, streaming, upstream, lagBytes, ...paused, ...settings } }
}

/** Role, timeline and lag. */
function cells({ postgresql }: PostgresqlMachine): Cell[] {
  if (postgresql === UNKNOWN) return [unknownCell, unknownCell, unknownCell]
  if (postgresql.role === 'down') return [{ text: 'down', tone: 'bad' }, { text: '-' }, { text: '-' }]
  const timeline = { text: String(postgresql.timeline) }
  if (postgresql.role === 'primary') return [{ text: 'primary', tone: 'good' }, timeline, { text: '-' }]
  const { lagBytes } = postgresql
  const lag = lagBytes === UNKNOWN ? textOf(lagBytes) : bytes(lagBytes)
  const state = postgresql.streaming ? (postgresql.paused ? ', replay paused' : '') : ', not streaming'
  const text = lag + state
  return [
    { text: 'standby' },
    timeline,
    state === '' && lagBytes !== UNKNOWN ? { text } : { text, tone: 'bad' },
  ]
}
