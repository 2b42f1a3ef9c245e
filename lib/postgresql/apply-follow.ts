import type { Context } from '../consul/handler.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { queueUnit } from '../core/systemd.ts'
import { withDatabase } from './client.ts'
import { slotName } from './config.ts'
import { repmgrConninfo } from './config-repmgr.ts'
import { localDatabase } from './database.ts'
import { type FollowPlan, mayNeedFollow } from './decide-follow.ts'
import { postgresqlUnits } from './manifest.ts'
import { observeReplication } from './observe-follow.ts'
import { resumeRestoreCommand } from './restore-command.ts'
import { setAndReload } from './setting.ts'
import { dropSlots, ensureSlot } from './slots.ts'

/** How long either database may take: longer than a new primary is busy with its promotion. */
const DATABASE_MS = 3000

/** Points replication at the primary, or sends this machine to rejoin. */
export async function applyFollow(plan: FollowPlan, { settings, consul }: Context): Promise<void> {
  if (plan.do === 'rejoin') return queueUnit('start', postgresqlUnits.rejoin)
  if (plan.do !== 'point') return
  const { host, port, epoch } = plan
  const slot = slotName(settings.repmgrId)
  // As repmgr on the new primary: in quorum mode the first commit there waits for this standby.
  await withDatabase({ host, port, user: 'repmgr', database: 'repmgr' }, DATABASE_MS, (primary) =>
    ensureSlot(primary, slot),
  )
  await withDatabase(localDatabase('postgres', settings.postgresqlPort), DATABASE_MS, async (own) => {
    // A candidate may have counted on the stopped WAL receiver: it must not go back to a primary that has lost the lock.
    if (currentPrimary(await readLeadership(consul))?.epoch !== epoch)
      throw new UnderstudyError(EXIT.retry, `${host} is no longer the primary under epoch ${epoch}`)
    await setAndReload(own, {
      primary_conninfo: repmgrConninfo(settings.node, host, port),
      primary_slot_name: slot,
    })
    await dropSlots(own)
  })
  await resumeRestoreCommand(settings)
  // repmgrd keeps the old upstream in memory.
  await restartRepmgrd()
}

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
