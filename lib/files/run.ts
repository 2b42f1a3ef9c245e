import { runHandler } from '../core/run-handler.ts'
import { filesPaths } from './manifest.ts'

/** It waits up to 60 s for its lock, and gives up after 120 s itself. */
const RECONCILE_MS = 190_000

/**
 * Runs the handler `files`, which may merge what this machine has at or below `mergeFiles`. What it could not do is in its
 * report.
 */
export async function runSyncthingHandler(mergeFiles: string | null): Promise<void> {
  const args = mergeFiles === null ? [] : [`--merge-files=${mergeFiles}`]
  await runHandler('files', filesPaths.lock, { waitS: 60, args, timeoutMs: RECONCILE_MS })
}
