import { runHandler } from '../core/run-handler.ts'
import { filesPaths } from './manifest.ts'

const RECONCILE_MS = 190_000

/**
 * Runs the handler `files`; what this machine has at or below `mergeFiles` may be merged. What it could not do is in its
 * report, which the check reads as well.
 */
export async function runSyncthingHandler(mergeFiles: string | null): Promise<void> {
  const args = mergeFiles === null ? [] : [`--merge-files=${mergeFiles}`]
  await runHandler('files', filesPaths.lock, { waitS: 60, args, timeoutMs: RECONCILE_MS })
}
