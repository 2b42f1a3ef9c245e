import { bytes, duration } from '../core/text.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { copyText } from '../files/decide-copy.ts'
import type { Gap, Machine, StatusDocument } from './facts.ts'
import { targetOf } from './judge.ts'

/** How parts of the text are set off; every function returns its text, with or without colour. */
export interface Paint {
  good(text: string): string
  bad(text: string): string
  faint(text: string): string
  strong(text: string): string
}

/** No colour at all. */
export const plain: Paint = { good: String, bad: String, faint: String, strong: String }

interface Cell {
  text: string
  tone?: keyof Paint
}

const HEADINGS = [
  'MACHINE',
  'ADDRESS',
  'CONSUL',
  'VIRTUAL IP',
  'POSTGRESQL',
  'TIMELINE',
  'LAG',
  'PGBOUNCER',
  'FILES',
  'CHECKS',
]

/** The text a person reads: health, the cluster, one row for each machine, and why something is not known. */
export function tableLines(status: StatusDocument, paint: Paint = plain): string[] {
  const rows = status.machines.map((machine) => cellsOf(machine, status))
  return [
    ...headlines(status, paint),
    clusterLine(status),
    ...status.notes.map((note) => `note: ${note}`),
    '',
    ...alignedLines([HEADINGS.map((text): Cell => ({ text, tone: 'strong' })), ...rows], paint).map(
      (line, index) => `${status.machines[index - 1]?.here ? '*' : ' '} ${line}`.trimEnd(),
    ),
    ...gapLines(status.unknown).map((line) => paint.faint(line)),
  ]
}

function headlines({ healthy, summary, problems }: StatusDocument, paint: Paint): string[] {
  if (healthy) return [paint.good(summary)]
  if (problems.length === 1) return [paint.bad(summary)]
  return [
    paint.bad(`not healthy: ${problems.length} problems`),
    ...problems.map((problem) => `  - ${problem}`),
  ]
}

const POLICIES = { 'with-primary': 'follows the primary', fixed: 'stays by priority' }

/** What could not be read, as a person reads it. */
const textOf = (value: string | Unknown): string => (value === UNKNOWN ? 'unknown' : value)

function clusterLine({ virtualIp, policy, durability, lock, consul, at }: StatusDocument): string {
  const parts = [
    `virtual IP ${virtualIp} (${policy === UNKNOWN ? 'policy unknown' : POLICIES[policy]})`,
    `durability ${textOf(durability)}`,
  ]
  if (lock === UNKNOWN) parts.push('epoch unknown')
  else if (lock === null) parts.push('no epoch yet')
  else {
    const held = lock.held ? 'held' : 'free; last taken'
    const since = lock.since.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')
    const age = duration((Date.parse(at) - Date.parse(lock.since)) / 1000)
    parts.push(`epoch ${lock.epoch}, lock ${held} by ${lock.node} since ${since} (${age})`)
  }
  if (consul.leader === null) parts.push('as Consul last knew it')
  return parts.join(', ')
}

const unknownCell: Cell = { text: textOf(UNKNOWN), tone: 'bad' }

function cellsOf(machine: Machine, { primary }: StatusDocument): Cell[] {
  const { name, address, virtualIp } = machine
  return [
    { text: name, ...(name === primary ? { tone: 'strong' as const } : {}) },
    { text: address },
    consulCell(machine),
    virtualIpCell(virtualIp),
    ...postgresqlCells(machine),
    pgbouncerCell(machine, primary),
    filesCell(machine),
    checksCell(machine),
  ]
}

function consulCell({ consul, voter }: Machine): Cell {
  if (consul === 'failed' || consul === UNKNOWN) return { text: textOf(consul), tone: 'bad' }
  return voter === false ? { text: `${consul}, no vote`, tone: 'bad' } : { text: consul }
}

function virtualIpCell(state: Machine['virtualIp']): Cell {
  if (state === 'holder') return { text: state, tone: 'good' }
  return state === 'backup' ? { text: '-' } : { text: textOf(state), tone: 'bad' }
}

/** Role, timeline and lag. */
function postgresqlCells({ postgresql }: Machine): Cell[] {
  if (postgresql === UNKNOWN) return [unknownCell, unknownCell, unknownCell]
  if (postgresql.role === 'down') return [{ text: 'down', tone: 'bad' }, { text: '-' }, { text: '-' }]
  const timeline = { text: String(postgresql.timeline) }
  if (postgresql.role === 'primary') return [{ text: 'primary', tone: 'good' }, timeline, { text: '-' }]
  const { lagBytes } = postgresql
  const lag = lagBytes === UNKNOWN ? textOf(lagBytes) : bytes(lagBytes)
  const text = postgresql.streaming ? lag : `${lag}, not streaming`
  return [
    { text: 'standby' },
    timeline,
    postgresql.streaming && lagBytes !== UNKNOWN ? { text } : { text, tone: 'bad' },
  ]
}

function pgbouncerCell({ pgbouncer }: Machine, primary: StatusDocument['primary']): Cell {
  if (pgbouncer === UNKNOWN) return unknownCell
  if (pgbouncer === null) return { text: 'no database', tone: 'bad' }
  const text = pgbouncer.paused ? `${targetOf(pgbouncer)}, paused` : targetOf(pgbouncer)
  const right =
    !pgbouncer.paused && pgbouncer.target !== null && (primary === UNKNOWN || pgbouncer.target === primary)
  return right ? { text } : { text, tone: 'bad' }
}

/** In the order in which they matter: what is first is shown. */
const COPY_STATES = ['stopped', 'failing', 'disconnected', 'not-shared', 'behind', 'in-sync'] as const

function filesCell({ files }: Machine): Cell {
  if (files === UNKNOWN) return unknownCell
  if (files === null) return { text: '-' }
  const state = COPY_STATES.find((candidate) => files.folders.some((copy) => copy.state === candidate))
  if (state === undefined) return { text: 'no folder' }
  const lacking = files.folders.reduce(
    (sum, copy) => ({ files: sum.files + copy.files, bytes: sum.bytes + copy.bytes }),
    { files: 0, bytes: 0 },
  )
  const text = copyText({ state, ...lacking })
  return ['in-sync', 'behind'].includes(state) ? { text } : { text, tone: 'bad' }
}

function checksCell({ checks }: Machine): Cell {
  if (checks === UNKNOWN) return unknownCell
  if (checks.length === 0) return { text: 'none', tone: 'bad' }
  const failing = checks.filter(({ status }) => status !== 'passing')
  if (failing.length === 0) return { text: 'passing' }
  return { text: failing.map(({ id, status }) => `${id} ${status}`).join(', '), tone: 'bad' }
}

/** Pads every column to its widest cell; colour comes after, because it has no width. */
function alignedLines(rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.text.length ?? 0)))
  return rows.map((row) =>
    row
      .map(({ text, tone }, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - text.length)
        return (tone ? paint[tone](text) : text) + (column === row.length - 1 ? '' : space)
      })
      .join('  '),
  )
}

/** Why something is unknown: one line for each reason, with everything it explains. */
function gapLines(gaps: readonly Gap[]): string[] {
  if (gaps.length === 0) return []
  const byReason = new Map<string, string[]>()
  for (const { machine, what, why } of gaps) {
    byReason.set(why, [...(byReason.get(why) ?? []), machine ? `${machine} ${what}` : what])
  }
  return ['', 'unknown:', ...[...byReason].map(([why, what]) => `  ${what.join(', ')}: ${why}`)]
}
