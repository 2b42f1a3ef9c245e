import { UNKNOWN } from '../decide/facts.ts'
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

const POLICIES = {
  'with-primary': 'follows the primary',
  fixed: 'stays by priority',
  unknown: 'policy unknown',
}

function clusterLine({ virtualIp, policy, durability, lock, consul, at }: StatusDocument): string {
  const parts = [`virtual IP ${virtualIp} (${POLICIES[policy]})`, `durability ${durability}`]
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

const unknownCell: Cell = { text: UNKNOWN, tone: 'bad' }

function cellsOf(machine: Machine, { primary }: StatusDocument): Cell[] {
  const { name, address, virtualIp } = machine
  return [
    { text: name, ...(name === primary ? { tone: 'strong' as const } : {}) },
    { text: address },
    consulCell(machine),
    virtualIpCell(virtualIp),
    ...postgresqlCells(machine),
    pgbouncerCell(machine, primary),
    checksCell(machine),
  ]
}

function consulCell({ consul, voter }: Machine): Cell {
  if (consul === 'failed' || consul === UNKNOWN) return { text: consul, tone: 'bad' }
  return voter === false ? { text: `${consul}, no vote`, tone: 'bad' } : { text: consul }
}

function virtualIpCell(state: Machine['virtualIp']): Cell {
  if (state === 'holder') return { text: state, tone: 'good' }
  return state === 'backup' ? { text: '-' } : { text: state, tone: 'bad' }
}

/** Role, timeline and lag. */
function postgresqlCells({ postgresql }: Machine): Cell[] {
  if (postgresql === UNKNOWN) return [unknownCell, unknownCell, unknownCell]
  if (postgresql.role === 'down') return [{ text: 'down', tone: 'bad' }, { text: '-' }, { text: '-' }]
  const timeline = { text: String(postgresql.timeline) }
  if (postgresql.role === 'primary') return [{ text: 'primary', tone: 'good' }, timeline, { text: '-' }]
  const lag = postgresql.lagBytes === UNKNOWN ? UNKNOWN : bytes(postgresql.lagBytes)
  const text = postgresql.streaming ? lag : `${lag}, not streaming`
  return [
    { text: 'standby' },
    timeline,
    postgresql.streaming && lag !== UNKNOWN ? { text } : { text, tone: 'bad' },
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

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** 0 B, 512 B, 1.5 KiB, 16 MiB: two digits that matter are enough at a glance. */
export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), BYTE_UNITS.length - 1)
  const value = count / 1024 ** power
  return `${value < 10 && power > 0 ? Number(value.toFixed(1)) : Math.round(value)} ${BYTE_UNITS[power]}`
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** 12 s, 5 min, 3 h 20 min, 9 d 4 h. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < MINUTE) return `${whole} s`
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`
}
