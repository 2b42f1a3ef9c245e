import type { CheckPlan } from '../core/component.ts'
import { SYNCTHING_PORT } from './config.ts'
import type { Copy, FilesSeen, FolderCopies } from './decide-copy.ts'
import type { FilesReport } from './report.ts'

/** How long what was counted is good enough, and how long a run that had nothing to say is: another costs a process. */
const COUNTED_MS = 20_000
const LOOKED_MS = 60_000

/**
 * Whether the unit that brings the folders into line should run, although no event has asked for it.
 * @returns why, or null.
 */
export function whyLookAgain(
  report: FilesReport | null,
  folders: readonly FolderCopies[],
  nowMs: number,
): string | null {
  if (report === null) return 'nobody has looked since the boot'
  if (report.problems.length > 0) return 'there were problems'
  const ageMs = nowMs - Date.parse(report.at)
  if (!(ageMs < LOOKED_MS && ageMs > -LOOKED_MS)) return 'nobody has looked for a while'
  // A disk may be back.
  if (folders.some(({ here }) => here.state === 'stopped')) return 'a folder is stopped'
  const changed = folders.some(({ label, sequence }) => report.folders[label]?.sequence !== sequence)
  return changed && ageMs > COUNTED_MS ? 'folders have changed' : null
}

/** A machine that was away is looked for every few seconds; for a while after that its old connection may be in the way. */
const RECONNECT_MS = 120_000

/** Since when a machine that Consul sees is not connected, by name, in epoch milliseconds. */
export type Away = Readonly<Record<string, number>>

/** Goes on counting for those that are still away, and begins for those that are since now. */
export function stillAway(
  before: Away,
  connected: ReadonlyMap<string, boolean>,
  alive: ReadonlySet<string>,
  nowMs: number,
): Away {
  const names = [...connected].flatMap(([name, is]) => (is || !alive.has(name) ? [] : [name])).sort()
  // A clock that was set back begins anew.
  return Object.fromEntries(names.map((name) => [name, Math.min(before[name] ?? nowMs, nowMs)]))
}

/** One sentence for each machine that should have been connected by now. */
export const awayProblems = (away: Away, nowMs: number): string[] =>
  Object.entries(away)
    .filter(([, sinceMs]) => nowMs - sinceMs > RECONNECT_MS)
    .map(
      ([name]) =>
        `Syncthing has no connection to ${name}; is its port ${SYNCTHING_PORT} open, and does it run there?`,
    )

/** What a person should know of the replicated folders, as seen from this machine: one sentence each. */
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
  ]
}

function ownProblem(label: string, { state, why }: Copy): string[] {
  if (why === undefined) return []
  return [state === 'stopped' ? `the folder ${label} is stopped: ${why}` : `the folder ${label}: ${why}`]
}

export interface FilesCheckFacts {
  report: FilesReport | null
  /** null where files are not replicated on this machine. */
  seen: FilesSeen | null
  /** Names of the machines that Consul sees; null where it does not say. */
  alive: ReadonlySet<string> | null
  /** What the last check has written down. */
  away: Away
  nowMs: number
}

export interface FilesCheckPlan extends CheckPlan {
  /** Start the unit that brings the folders into line. */
  start: boolean
  away: Away
}

/** What a person should know of the replicated files, and whether the unit for them is due. */
export function decideFilesCheck({
  report,
  seen,
  alive,
  away: before,
  nowMs,
}: FilesCheckFacts): FilesCheckPlan {
  if (seen === null)
    return { do: 'nothing', why: 'files are not replicated here', start: false, away: {}, problems: [] }
  const { folders, connected } = seen
  const away = stillAway(before, connected, alive ?? new Set(connected.keys()), nowMs)
  const why = whyLookAgain(report, folders, nowMs)
  const problems = [...filesProblems(report, folders), ...awayProblems(away, nowMs)]
  return {
    do: why === null ? 'write' : 'start',
    why: why ?? 'the folders were looked at',
    ...{ start: why !== null, away, problems },
  }
}
