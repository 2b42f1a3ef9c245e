import { paths } from '../paths.ts'
import { tryRun } from '../world/exec.ts'

const RECONCILE_MS = 190_000

/**
 * Runs the handler `syncthing` under its lock; what this machine has at or below `mergeFiles` may be merged. What it could not do is in its report, which the check reads as well.
 */
export async function runSyncthingHandler(mergeFiles: string | null): Promise<void> {
  const flags = mergeFiles === null ? [] : [`--merge-files=${mergeFiles}`]
  const handler = ['flock', '--wait', '60', paths.filesLock, paths.handler('syncthing'), ...flags]
  // What a handler says belongs into the journal.
  await tryRun('systemd-cat', ['--identifier=understudy', ...handler], { timeoutMs: RECONCILE_MS })
}
