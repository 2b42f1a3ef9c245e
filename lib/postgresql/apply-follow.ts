import type { Context } from '../consul/handler.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { queueUnit } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { waitFor } from '../core/wait.ts'
import { withDatabase } from './client.ts'
import { slotName } from './config.ts'
import { streamConninfo } from './config-repmgr.ts'
import { localDatabase } from './database.ts'
import { type FollowPlan, mayNeedFollow } from './decide-follow.ts'
import { postgresqlUnits } from './manifest.ts'
import { observeReplication, readUpstream } from './observe-follow.ts'
import { keepReplaying, restartPostgresql } from './replay.ts'
import { resumeRestoreCommand } from './restore-command.ts'
import { setAndReload } from './setting.ts'
import { dropSlots, ensureSlot } from './slots.ts'

/** How long either database may take: longer than a new primary is busy with its promotion. */
const DATABASE_MS = 3000
/** How long a standby may take to connect to a new primary; it mostly takes a tenth of a second. */
const STREAM_MS = 5000
/** How often it is looked at. */
const LOOK_AGAIN_MS = 50

/** An upstream that nobody can be: it fails at once, and the next run points elsewhere. */
const NOWHERE = 'host=/dev/null'

/** Points replication at the primary, or sends this machine to rejoin. */
export async function applyFollow(plan: FollowPlan, context: Context): Promise<void> {
  const { settings, consul } = context
  if (plan.do === 'rejoin') return queueUnit('start', postgresqlUnits.rejoin)
  if (plan.do === 'restart') return restartPostgresql(context, plan.why)
  if (plan.do !== 'point') return
  const { host, port, epoch } = plan
  const slot = slotName(settings.repmgrId)
  // As repmgr on the new primary: in quorum mode the first commit there waits for this standby.
  await withDatabase({ host, port, user: 'repmgr', database: 'repmgr' }, DATABASE_MS, (primary) =>
    ensureSlot(primary, slot),
  )
  await withDatabase(localDatabase('postgres', settings.postgresqlPort), DATABASE_MS, async (own) => {
    // A candidate may have counted on the stopped WAL receiver: it must not go back to a primary that has lost the lock. From here
    // on the receiver does not count as stopped, so a candidate that takes the lock after the look sees that, however late this is.
    await setAndReload(own, { primary_conninfo: NOWHERE })
    const leadership = await orUnknown(readLeadership(consul))
    if (leadership === UNKNOWN || currentPrimary(leadership)?.index !== epoch) {
      await setAndReload(own, { primary_conninfo: '' })
      throw new UnderstudyError(EXIT.retry, `${host} may no longer be the primary under epoch ${epoch}`)
    }
    await setAndReload(own, {
      primary_conninfo: streamConninfo(settings.node, host, port),
      primary_slot_name: slot,
    })
    await dropSlots(own)
  })
  await connect(context)
  // repmgrd keeps the old upstream in memory.
  await restartRepmgrd()
}

/**
 * Sees that this standby connects to the new primary, whose clients wait for it: neither readers nor an archive must hold it up.
 * restore_command stays switched off until then, as PostgreSQL runs it before it connects.
 */
async function connect(context: Context): Promise<void> {
  try {
    if ((await untilStreaming(context)) !== 'archive') return
    await restartPostgresql(context, 'PostgreSQL waits for its archive and does not connect to the primary')
    await untilStreaming(context)
  } catch (error) {
    // It may lack WAL that only the archive has.
    log('follow', { failed: 'connect', error: explain(error) })
  } finally {
    await resumeRestoreCommand(context.settings)
  }
}

const untilStreaming = ({ settings }: Context): Promise<'streams' | 'archive'> =>
  withDatabase(localDatabase('postgres', settings.postgresqlPort), STREAM_MS, async (own) => {
    const lookAtReplay = keepReplaying(own)
    return waitFor(
      'this standby to stream',
      STREAM_MS,
      async () => ((await readUpstream(own)).streaming ? 'streams' : lookAtReplay()),
      LOOK_AGAIN_MS,
    )
  })

/**
 * Starts the follow unit if there may be something to do. Only the user postgres can see whether a database that does not run is a
 * former primary.
 */
export async function followIfNeeded(context: Context): Promise<void> {
  const why = mayNeedFollow(await observeReplication(context, 'understudy_monitor'))
  if (why !== null) await queueUnit('start', postgresqlUnits.follow)
}

/** repmgrd reads its role and upstream at start only. */
export const restartRepmgrd = (): Promise<void> => queueUnit('restart', postgresqlUnits.repmgrd)
