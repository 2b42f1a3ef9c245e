/** The results for a person. */
import { type Contender, type Failed, type Result, ratioTo } from './failover.ts'
import type { FilesResult } from './files.ts'
import { type IdleResult, most, type Shares } from './idle.ts'
import type { JoinResult, JoinTimes } from './join.ts'
import type { LoadResult } from './load.ts'
import type { Milestones } from './milestones.ts'
import type { Run } from './run.ts'
import { isInOrder, type Point, type ScaleResult } from './scale.ts'

/** 1234 ms as "1.23". */
export const seconds = (ms: number | null): string => (ms === null ? '-' : (ms / 1000).toFixed(2))

/** Pads every column to its widest cell: the first to the left, the others to the right. */
function aligned(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? '').length)),
  )
  return table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}

/** Whose time it is, for a person. */
export const contenderNames: Readonly<Record<Contender, string>> = {
  understudy: 'understudy',
  default: 'Patroni',
  fastest: 'Patroni, fastest settings',
}

const ratioText = (ratio: number | null): string => (ratio === null ? '-' : ratio.toFixed(2))

/** A table: a heading, and one row for each event, in seconds; with Patroni's medians where they were measured. */
export function resultTable(results: readonly Result[]): string[][] {
  const beside = results.some(({ peer }) => peer !== null)
  const peerHeadings = beside ? [contenderNames.default, 'ratio', contenderNames.fastest, 'ratio'] : []
  const rows = results.map((result) => {
    const { name, medianMs, minMs, maxMs, goalMs, peerGoal, peer, goalMet } = result
    const ratioGoal = peer && peerGoal !== null ? `, ratio ${peerGoal}` : ''
    return [
      name,
      ...[medianMs, minMs, maxMs].map(seconds),
      ...(peer
        ? [peer.default, peer.fastest].flatMap((spread) => [
            seconds(spread.medianMs),
            ratioText(ratioTo(result, spread)),
          ])
        : []),
      `${seconds(goalMs)}${ratioGoal}`,
      goalMet ? 'met' : 'MISSED',
    ]
  })
  return [['event', 'median', 'min', 'max', ...peerHeadings, 'goal', ''], ...rows]
}

/** The table, and what went wrong. */
export function resultLines(results: readonly Result[]): string[] {
  const problems = results.flatMap(({ name, runs, peer }) => [
    ...runs.flatMap((run) => problemLines(name, run)),
    ...(peer?.default.runs ?? []).flatMap((run) => problemLines(`${name}, Patroni`, run)),
    ...(peer?.fastest.runs ?? []).flatMap((run) => problemLines(`${name}, Patroni, fastest settings`, run)),
  ])
  return [...aligned(resultTable(results)), ...problems]
}

const problemLines = (name: string, { problems }: { problems: readonly string[] }): string[] =>
  problems.map((problem) => `${name}: ${problem}`)

/** What a failover was made of, in one line. */
const milestoneText = (milestones: Milestones): string =>
  [
    `lock released ${seconds(milestones.lockReleasedMs)}`,
    `promoted ${seconds(milestones.promotedMs)}`,
    `published ${seconds(milestones.publishedMs)}`,
    `first write ${seconds(milestones.firstWriteMs)}`,
  ].join(', ')

/** One run as it ends. */
export function runText(run: Run | Failed): string {
  const milestones = 'milestones' in run && run.milestones ? `: ${milestoneText(run.milestones)}` : ''
  return `${seconds(run.gapMs)} s${milestones}`
}

/** The same for the load. */
export function loadLines(result: LoadResult): string[] {
  return [
    `${result.writes} writes in ${result.minutes} min, longest gap ${seconds(result.longestGapMs)} s, ${result.lostWrites} lost`,
    `failovers: ${result.failovers.length} (goal: none); the lock was free ${result.lockReleases} times`,
    ...result.failovers.map((line) => `  ${line}`),
  ]
}

const percent = (share: number): string => share.toFixed(2)

/** What each machine uses at rest, in percent of one processor. */
export function idleLines({ machines, ours, goal, peerGoal, peer, goalMet }: IdleResult): string[] {
  const rows = Object.entries(machines).map(
    ([name, { checks, units, sessions, ours: sum, repmgrd, consul, machine }]) => [
      name,
      ...[checks, units, sessions, sum, repmgrd, consul, machine].map(percent),
    ],
  )
  const theirs = Object.entries(peer?.machines ?? {}).map(([name, { consul, machine }]) => [
    `${name}, Patroni`,
    ...['', '', '', '', '', percent(consul), percent(machine)],
  ])
  const ratio = peer
    ? `; all machines beside Patroni's: ratio ${percent(peer.ratio)} (goal: ${peerGoal})`
    : ''
  return [
    ...aligned([
      ['%', 'checks', 'units', 'sessions', 'ours', 'pings of repmgrd', 'Consul', 'machine'],
      ...rows,
      ...theirs,
    ]),
    `ours: ${percent(ours)} % of a processor at most (goal: ${goal} %)${ratio} ${goalMet ? 'met' : 'MISSED'}`,
  ]
}

/** The same for uploads. */
export function filesLines({ bytes, put, rsync, goalMs, goalMet }: FilesResult): string[] {
  const row = (name: string, { medianMs, minMs, maxMs }: FilesResult['put']): string[] => [
    name,
    ...[medianMs, minMs, maxMs].map(seconds),
  ]
  const size = `${bytes / 1e6} MB`
  return aligned([
    ['', 'median', 'min', 'max', 'goal', ''],
    [...row(`${size}, put and confirmed`, put), seconds(goalMs), goalMet ? 'met' : 'MISSED'],
    [...row(`${size}, rsync --fsync`, rsync), '-', ''],
    ['ratio', (put.medianMs / rsync.medianMs).toFixed(1), '', '', '', ''],
  ])
}

/** The same for joins. */
export function joinLines({ first, others }: JoinResult): string[] {
  const row = (name: string, { medianMs, minMs, maxMs, goalMs }: JoinTimes): string[] => [
    name,
    ...[medianMs, minMs, maxMs, goalMs].map(seconds),
    medianMs <= goalMs ? 'met' : 'MISSED',
  ]
  return aligned([
    ['join', 'median', 'min', 'max', 'goal', ''],
    row('the first machine', first),
    row('each of two at the same moment', others),
  ])
}

/** The same for what grows: the most of all machines at rest, and the failovers. */
export function scaleLines({ curves, goalMs }: ScaleResult): string[] {
  const nameOf = (title: string, { size }: Point): string => `${size.toLocaleString('en')} ${title}`
  const row = (title: string, point: Point): string[] => {
    const { machines, failover } = point
    const share = (name: keyof Shares): string => (machines === null ? '-' : percent(most(machines, name)))
    return [
      nameOf(title, point),
      ...[share('ours'), share('machine')],
      ...[failover.medianMs, failover.minMs, failover.maxMs, goalMs].map(seconds),
      isInOrder(point, goalMs) ? 'met' : 'MISSED',
    ]
  }
  const rows = curves.flatMap(({ title, points }) => points.map((point) => row(title, point)))
  const problems = curves.flatMap(({ title, points }) =>
    points.flatMap((point) =>
      [point, ...point.failover.runs].flatMap((one) => problemLines(nameOf(title, point), one)),
    ),
  )
  return [
    ...aligned([['', 'ours, %', 'machine, %', 'failover', 'min', 'max', 'goal', ''], ...rows]),
    ...problems,
  ]
}
