import type { CheckPlan } from '../core/component.ts'
import { printable } from '../core/text.ts'
import { SYNCTHING_PORT } from './config.ts'
import type { Copy, FilesSeen, FolderCopies } from './decide-copy.ts'
import type { FilesReport } from './report.ts'

/** How long a count of conflict files is good enough although the folder changes: counting costs a process and a walk. */
const COUNTED_MS = 20_000
/** How long a report without problems is good enough: another costs a process. */
export const REPORTED_MS = 60_000
/** Syncthing tries again every few seconds, but the old connection of a machine that was away may be in the way for a while. */
const RECONNECT_MS = 120_000

const IS_OLD = 'the last report is old'

/** Why the handler `files` should run although no event has started it, or null. */
export function whyLookAgain(
  report: FilesReport | null,
  folders: readonly FolderCopies[],
  nowMs: number,
  mounted: readonly string[] = [],
): string | null {
  if (report === null) return 'there is no report since the boot'
  if (mounted.length > 0) return `what is mounted at, above or inside ${mounted.join(' and ')} has changed`
  if (report.problems.length > 0) return 'the last report names problems'
  const ageMs = nowMs - Date.parse(report.at)
  if (!(ageMs < REPORTED_MS && ageMs > -REPORTED_MS)) return IS_OLD
  // Its disk may be back.
  if (folders.some(({ here }) => here.state === 'stopped')) return 'a folder is stopped'
  const changed = folders.some(({ label, sequence }) => report.folders[label]?.sequence !== sequence)
  return changed && ageMs > COUNTED_MS ? 'folders have changed' : null
}

/** Walks of a folder whose sequence number stays the same, which tells nothing of sockets, take a hundredth of the time. */
const WALK_SHARE = 100

/** Whether to walk through a folder again. */
export const isWalkDue = (
  last: FilesReport['folders'][string] | undefined,
  sequence: number,
  nowMs: number,
): boolean =>
  last?.sequence !== sequence ||
  nowMs - last.atMs > last.tookMs * WALK_SHARE ||
  // The clock was set back.
  nowMs < last.atMs

/** Since when machines that are alive in Consul are not connected: by name, in epoch milliseconds. */
export type Away = Readonly<Record<string, number>>

/** Keeps the time of machines that are still away, and starts it for those that have just gone. */
export function stillAway(
  before: Away,
  connected: ReadonlyMap<string, boolean>,
  alive: ReadonlySet<string>,
  nowMs: number,
): Away {
  const names = [...connected].flatMap(([name, is]) => (is || !alive.has(name) ? [] : [name])).sort()
  // If the clock was set back, the time starts again.
  return Object.fromEntries(names.map((name) => [name, Math.min(before[name] ?? nowMs, nowMs)]))
}

/** One sentence for each machine that has been away for too long. */
export const awayProblems = (away: Away, nowMs: number): string[] =>
  Object.entries(away)
    .filter(([, sinceMs]) => nowMs - sinceMs > RECONNECT_MS)
    .map(
      ([name]) =>
        `Syncthing is not connected to ${name}; check that it runs there and that its port ${SYNCTHING_PORT} is open`,
    )

/** What is wrong with the replicated folders on this machine, one sentence each. */
export function filesProblems(report: FilesReport | null, folders: readonly FolderCopies[]): string[] {
  return [
    ...(report?.problems ?? []),
    ...folders.flatMap(({ label, here }) => ownProblem(label, here)),
    ...folders.flatMap(({ label }) => {
      const count = report?.folders[label]?.conflicts ?? 0
      return count === 0
        ? []
        : [`the folder ${label} has ${count} conflict ${count === 1 ? 'file' : 'files'}`]
    }),
    ...folders.flatMap(({ label }) => {
      const special = report?.folders[label]?.special
      if (!special) return []
      const things =
        special.count === 1 ? 'a socket, pipe or device' : `${special.count} sockets, pipes or devices`
      return [`the folder ${label} has ${things}, not replicated: ${printable(special.example)}`]
    }),
  ]
}

function ownProblem(label: string, { state, why }: Copy): string[] {
  if (why === undefined) return []
  return [state === 'stopped' ? `the folder ${label} is stopped: ${why}` : `in the folder ${label}: ${why}`]
}

export interface FilesCheckFacts {
  report: FilesReport | null
  /** null if files are not replicated on this machine. */
  seen: FilesSeen | null
  /** Names of the machines that are alive in Consul; null if Consul does not answer. */
  alive: ReadonlySet<string> | null
  /** As the last check has written it. */
  away: Away
  /** Paths of the folders in which something is mounted, and that do not stand still yet; and of those that are elsewhere for Syncthing. */
  mounted: readonly string[]
  nowMs: number
}

export interface FilesCheckPlan extends CheckPlan {
  /** Start the unit of the handler `files`. */
  start: boolean
  away: Away
}

/** What is wrong with the replicated files, and whether the handler `files` should run. */
export function decideFilesCheck({
  report,
  seen,
  alive,
  away: before,
  mounted,
  nowMs,
}: FilesCheckFacts): FilesCheckPlan {
  if (seen === null)
    return { do: 'nothing', why: 'files are not replicated here', start: false, away: {}, problems: [] }
  const { folders, connected } = seen
  const away = stillAway(before, connected, alive ?? new Set(connected.keys()), nowMs)
  const why = whyLookAgain(report, folders, nowMs, mounted)
  const problems = [...filesProblems(report, folders), ...awayProblems(away, nowMs)]
  return {
    do: why === null ? 'write' : 'start',
    why: why ?? 'the last report is recent',
    ...{ start: why !== null, away, problems },
    // A machine without a connection becomes a problem by time alone, or when Consul takes it for alive.
    settled: (why === null || why === IS_OLD) && ![...connected.values()].includes(false),
  }
}
