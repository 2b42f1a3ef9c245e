import type { Context } from '../consul/handler.ts'
import { EXIT, explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { type Next, type Run, type Step, untilAnswered } from '../core/reconciler.ts'
import type { Settings } from '../core/settings.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { applyConfiguration } from './apply-configuration.ts'
import { localSyncthing } from './client.ts'
import { decideSyncthing, type SyncthingFacts, type SyncthingPlan } from './decide.ts'
import { isWalkDue } from './decide-check.ts'
import { ignoring } from './decide-ignore.ts'
import { isMarked, walk } from './directory.ts'
import { observeConfiguration } from './observe-configuration.ts'
import { type FilesReport, readReport, writeReport } from './report.ts'

/** An event that comes while the unit runs starts no second run, so a run goes on until nothing is left to do. */
const MOST_ROUNDS = 10
/** After a start, Syncthing reads its database before it answers. */
const PATIENCE_MS = 30_000
const untilSyncthingAnswers = untilAnswered(PATIENCE_MS)
/** A scan that only has to notice that a disk is gone or back. */
const SCAN_MS = 5000

type FilesEvent = Pick<SyncthingFacts, 'mergeFiles'>

/**
 * One run that configures this machine's Syncthing as Consul says, and writes a report of what a person has to correct. A
 * failure is reported as well, and ends the run.
 */
export function filesRun() {
  const started = performance.now()
  let rounds = 0
  let failure: string | null = null
  let silent = false

  const fail = (error: unknown): void => {
    failure = explain(error)
    log('files', { error: failure })
  }

  async function observe(context: Context, run: Run, event: FilesEvent): Promise<SyncthingFacts> {
    const facts = await observeConfiguration(context, run, event).catch((error: unknown) => {
      fail(error)
      return nothingSeen(context.settings, event)
    })
    silent = Object.values(facts).includes(UNKNOWN)
    return facts
  }

  async function apply(plan: SyncthingPlan, _context: Context): Promise<void> {
    // Not before a service that does not answer has had its time; a folder that must stand still does not wait for it.
    if (failure === null && silent && plan.do === 'nothing' && performance.now() - started < PATIENCE_MS)
      return
    rounds += 1
    const problems = plan.problems ?? readReport()?.problems ?? []
    try {
      await applyConfiguration(plan)
    } catch (error) {
      fail(error)
    }
    if (!isLast(plan)) return
    const folders = await countAll().catch((error: unknown) => {
      failure ??= explain(error)
      return {}
    })
    const others = problems.filter((problem) => problem !== failure)
    writeReport({
      at: new Date().toISOString(),
      problems: failure === null ? [...problems] : [...others, failure],
      folders,
    })
  }

  const isLast = (plan: SyncthingPlan): boolean =>
    failure !== null || plan.do === 'nothing' || rounds >= MOST_ROUNDS

  function next(step: Step<SyncthingFacts, SyncthingPlan>): Next {
    if (failure !== null) return { exitCode: EXIT.failed }
    return isLast(step.plan) ? untilSyncthingAnswers(step) : { lookAgainMs: 0 }
  }

  return { observe, decide: decideSyncthing, apply, next }
}

/** What a run knows that could not look: the failure is in its report. */
const nothingSeen = ({ node, address }: Settings, event: FilesEvent): SyncthingFacts => ({
  ...{ node, address, members: UNKNOWN, folders: UNKNOWN, syncthing: UNKNOWN, directories: new Map() },
  ...{ mounts: new Map(), remembered: [], elsewhere: new Set<string>() },
  markers: { now: {}, known: {} },
  ...event,
})

/** Of a folder that nobody could walk through yet. */
const NOT_WALKED = { conflicts: 0, special: null, sequence: -1, atMs: 0, tookMs: 0 }

/** Counts the conflict files and what cannot be replicated, in the folders for which that is due. */
async function countAll(): Promise<FilesReport['folders']> {
  const daemon = localSyncthing()
  const before = readReport()?.folders ?? {}
  const counted = await Promise.all(
    (await daemon.folders()).map(async ({ id, label, path, paused }) => {
      const last = before[label]
      if (paused) return [label, last ?? NOT_WALKED] as const
      const { sequence, error } = await daemon.folderStatus(id)
      // Without a scan, Syncthing may take an hour to notice that a disk is gone or back.
      if (isMarked(path) !== (error === '')) await daemon.scan(id, null, SCAN_MS).catch(() => {})
      const atMs = Date.now()
      if (last && !isWalkDue(last, sequence, atMs)) return [label, last] as const
      const isIgnored = ignoring(await daemon.ignores(id))
      const started = performance.now()
      const walked = walk(path, isIgnored)
      return [label, { ...walked, sequence, atMs, tookMs: performance.now() - started }] as const
    }),
  )
  return Object.fromEntries(counted)
}
