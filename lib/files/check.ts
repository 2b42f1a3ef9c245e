import type { Context } from '../consul/handler.ts'
import { answering } from '../core/answering.ts'
import type { CheckLine } from '../core/component.ts'
import { EXIT, type UnderstudyError } from '../core/errors.ts'
import { queueUnit } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { readAway, writeAway } from './away.ts'
import { localSyncthing, replicatesFiles } from './client.ts'
import { decideFilesCheck, type FilesCheckFacts, type FilesCheckPlan } from './decide-check.ts'
import { isElsewhere, mountedInside } from './decide-mounts.ts'
import { filesUnits } from './manifest.ts'
import { readMounts } from './mounts.ts'
import { observeFiles } from './observe.ts'
import { readReport } from './report.ts'
import { readView } from './view.ts'

/** For each request to Syncthing: the check has to end within its interval. */
const SYNCTHING_MS = 2000

/** The state of the replicated folders. The report of the handler `files` names what it could not do. */
const files: CheckLine<Context, FilesCheckFacts, FilesCheckPlan> = {
  name: 'files',
  report: 'files',
  async observe({ consul }) {
    const nowMs = Date.now()
    if (!replicatesFiles()) return { report: null, seen: null, alive: null, away: {}, mounted: [], nowMs }
    const [seen, members] = await Promise.all([
      observeFiles(localSyncthing(SYNCTHING_MS)),
      orUnknown(consul.members()),
    ])
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
