import { explain } from '../errors.ts'
import { runReconciler } from '../handler.ts'
import { log } from '../log.ts'
import { syncthing } from '../reconcile/syncthing.ts'
import type { Context } from '../reconciler.ts'
import { countConflicts, isMarked } from '../world/directory.ts'
import { localSyncthing } from '../world/syncthing.ts'
import { type FilesReport, readReport, writeReport } from './report.ts'

/** An event that comes while a unit runs starts no second run: it is looked until there is nothing left to do. */
const MOST_ROUNDS = 10
/** Syncthing reads its database before it answers. */
const PATIENCE_MS = 30_000
const SCAN_MS = 5000

/**
 * Brings this machine's Syncthing into line with Consul, and writes down what is left for a person.
 * @returns whether nothing has failed.
 */
export async function reconcileFiles(
  context: Context,
  options: { dryRun: boolean; mergeFiles: string | null },
): Promise<boolean> {
  const work = syncthing(options)
  let problems = readReport()?.problems ?? []
  let failed: string | null = null
  try {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const plan = await runReconciler(work, context, { ...options, patienceMs: PATIENCE_MS })
      problems = plan.problems ?? problems
      if (plan.do === 'nothing' || options.dryRun) break
    }
  } catch (error) {
    failed = explain(error)
    log(work.name, { error: failed })
  }
  if (options.dryRun) return failed === null
  const folders = await countAll().catch((error: unknown) => {
    failed ??= explain(error)
    return {}
  })
  writeReport({
    at: new Date().toISOString(),
    problems: [...problems, ...(failed === null ? [] : [failed])],
    folders,
  })
  return failed === null
}

/** Counts the conflict files of the folders that have changed since they were last counted. */
async function countAll(): Promise<FilesReport['folders']> {
  const daemon = localSyncthing()
  const before = readReport()?.folders ?? {}
  const counted = await Promise.all(
    (await daemon.folders()).map(async ({ id, label, path }) => {
      const { sequence, error } = await daemon.folderStatus(id)
      // A disk that was taken away, or is back, is seen by Syncthing within the hour only, unless it is told to look.
      if (isMarked(path) !== (error === '')) await daemon.scan(id, null, SCAN_MS).catch(() => {})
      const last = before[label]
      return [
        label,
        last?.sequence === sequence ? last : { conflicts: countConflicts(path), sequence },
      ] as const
    }),
  )
  return Object.fromEntries(counted)
}
