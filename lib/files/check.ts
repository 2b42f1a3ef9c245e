import type { Context } from '../consul/handler.ts'
import { answering } from '../core/answering.ts'
import type { CheckLine } from '../core/component.ts'
import { EXIT, type UnderstudyError } from '../core/errors.ts'
import { keepQuestion } from '../core/questions.ts'
import { queueUnit } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { readAway, writeAway } from './away.ts'
import { localSyncthing, replicatesFiles } from './client.ts'
import { decideFilesCheck, type FilesCheckFacts, type FilesCheckPlan, REPORTED_MS } from './decide-check.ts'
import type { FilesSeen } from './decide-copy.ts'
import { isElsewhere, mountedInside } from './decide-mounts.ts'
import { isMarked } from './directory.ts'
import { filesKeys, filesPaths, filesUnits } from './manifest.ts'
import { readMounts } from './mounts.ts'
import { observeFiles } from './observe.ts'
import { readReport } from './report.ts'
import { readView } from './view.ts'

/** How often a walk through the folders looks for what Syncthing does not tell: a socket or a pipe, which is not replicated. */
const WALKED_MS = 300_000
/** For each request to Syncthing: the check has to end within its interval. */
const SYNCTHING_MS = 2000

/**
 * Lets `quick-check` see whether the folders still have their markers, and start the handler from time to time: every minute, as Syncthing
 * itself misses a marker only within an hour, or, where this user sees all of them, for what else is found only by a walk.
 */
function keepFolders(folders: FilesSeen['folders']): void {
  if (folders.length === 0) return
  const isSeen = folders.every(({ path }) => isSeenMarked(path))
  keepQuestion('renew', filesPaths.report, (isSeen ? WALKED_MS : REPORTED_MS) / 1000, filesUnits.files)
}

/** Not where this user may not look into the folder. */
function isSeenMarked(path: string): boolean {
  try {
    return isMarked(path)
  } catch {
    return false
  }
}

/** The state of the replicated folders. The report of the handler `files` names what it could not do. */
const files: CheckLine<Context, FilesCheckFacts, FilesCheckPlan> = {
  name: 'files',
  report: 'files',
  async observe({ consul }) {
    const nowMs = Date.now()
    if (!replicatesFiles()) return { report: null, seen: null, alive: null, away: {}, mounted: [], nowMs }
    const daemon = localSyncthing(SYNCTHING_MS)
    const [seen, members] = await Promise.all([
      observeFiles(daemon),
      orUnknown(consul.members()),
      // What else the handler acts on: when it changes, `quick-check` lets this check look again.
      ...[daemon.options(), consul.names(filesKeys.nodes), consul.get(filesKeys.folders)].map(
        orUnknown<unknown>,
      ),
    ])
    keepFolders(seen.folders)
    const alive =
      members === UNKNOWN ? null : new Set(members.flatMap((member) => (member.alive ? [member.name] : [])))
    const [mounts, view] = [readMounts(), readView()]
    const points = mounts.map(({ point }) => point)
    const mounted = seen.folders
      .filter(
        ({ path, here }) =>
          (here.state !== 'stopped' && mountedInside(path, points).length > 0) ||
          (view !== null && isElsewhere(path, mounts, view)),
      )
      .map(({ path }) => path)
    return { report: readReport(), seen, alive, away: readAway(), mounted, nowMs }
  },
  decide: decideFilesCheck,
  async apply({ start, away }) {
    writeAway(away)
    if (start) await queueUnit('start', filesUnits.files)
  },
}

/** Any answer of its API will do. The kernel accepts connections also for a process that is stopped. */
const syncthing = answering<Context>(filesUnits.syncthing, async () => {
  if (!replicatesFiles()) return true
  return localSyncthing(SYNCTHING_MS)
    .deviceId()
    .then(
      () => true,
      ({ exitCode, cause }: UnderstudyError) =>
        exitCode !== EXIT.unavailable || (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED',
    )
})

/** This component's lines of the periodic check. */
export const lines = [files, syncthing]
