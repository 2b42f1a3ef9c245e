import { currentPrimary, UNKNOWN } from '../decide/facts.ts'
import { decideFollow, type FollowFacts, type FollowPlan } from '../decide/follow.ts'
import { EXIT, UnderstudyError } from '../errors.ts'
import { setAndReload } from '../failover/setting.ts'
import { units } from '../paths.ts'
import type { Context, Reconciler } from '../reconciler.ts'
import { slotName } from '../render/postgresql.ts'
import { repmgrConninfo } from '../render/repmgr.ts'
import { inspectData } from '../world/data-directory.ts'
import { localDatabase, nobodyListens, readRole } from '../world/database.ts'
import { readLineage } from '../world/lineage.ts'
import { type Connection, withDatabase } from '../world/postgres.ts'
import { queueUnit } from '../world/systemd.ts'
import { known, readLeadership } from './observe.ts'
import { dropSlots, ensureSlot } from './slots.ts'

const DATABASE_MS = 3000

type Seen = Omit<FollowFacts, 'lineage' | 'standbySignal'>

/** What anybody on this machine may see of it; `user` is who asks, the postgres or the consul system user. */
export async function observeFollow(
  { settings, consul }: Context,
  user: 'postgres' | 'understudy_monitor',
): Promise<Seen> {
  const target = localDatabase(user, settings.postgresqlPort)
  const read = async (connection: Connection) => ({
    role: await readRole(connection),
    ...(await readUpstream(connection)),
  })
  const [leadership, database] = await Promise.all([
    known(readLeadership(consul)),
    withDatabase(target, DATABASE_MS, read).catch((error: unknown) =>
      nobodyListens(error) ? null : UNKNOWN,
    ),
  ])
  const answered = database === UNKNOWN || database === null ? { upstream: null, streaming: false } : database
  return {
    node: settings.node,
    leadership,
    local: database === UNKNOWN ? UNKNOWN : (database?.role ?? { role: 'down' }),
    upstream: answered.upstream,
    streaming: answered.streaming,
  }
}

/** Whether a standby that does not stream can go on with the primary. */
export async function observeLineage({
  node,
  leadership,
  local,
  streaming,
}: Seen): Promise<FollowFacts['lineage']> {
  if (leadership === UNKNOWN || local === UNKNOWN || local.role !== 'standby' || streaming) return null
  const primary = currentPrimary(leadership)
  if (!primary || primary.node === node) return null
  const own = { timeline: local.timeline, lsn: local.receivedLsn }
  // Whatever the primary cannot tell must not keep a standby from it: it follows where it can, and PostgreSQL refuses the rest.
  return readLineage(own, { host: primary.address, port: primary.port }, DATABASE_MS).catch(() => UNKNOWN)
}

/** Keeps a standby on the primary; sends a former primary to the rejoin unit. */
export const follow: Reconciler<FollowFacts, FollowPlan> = {
  name: 'follow',

  async observe(context) {
    const seen = await observeFollow(context, 'postgres')
    const { standbySignal } = inspectData(context.settings.postgresqlVersion)
    return { ...seen, standbySignal, lineage: await observeLineage(seen) }
  },

  decide: decideFollow,

  async apply(plan, { settings, consul }) {
    if (plan.do === 'rejoin') return queueUnit('start', units.rejoin)
    if (plan.do !== 'point') return
    const { host, port, epoch } = plan
    const slot = slotName(settings.repmgrId)
    // As repmgr on the new primary: in quorum mode the first commit there waits for this standby.
    await withDatabase({ host, port, user: 'repmgr', database: 'repmgr' }, DATABASE_MS, (primary) =>
      ensureSlot(primary, slot),
    )
    await withDatabase(localDatabase('postgres', settings.postgresqlPort), DATABASE_MS, async (own) => {
      // A standby that was counted as standing still must not go back to a primary that has lost the lock meanwhile.
      if (currentPrimary(await readLeadership(consul))?.epoch !== epoch)
        throw new UnderstudyError(EXIT.retry, `${host} is no longer the primary under epoch ${epoch}`)
      await setAndReload(own, {
        primary_conninfo: repmgrConninfo(settings.node, host, port),
        primary_slot_name: slot,
      })
      await dropSlots(own)
    })
    // repmgrd keeps the old upstream in memory.
    await restartRepmgrd()
  },
}

/**
 * Starts the follow unit where there may be something for it to do; whether a database that does not run is a former primary,
 * only its own user can see. @returns why, or null.
 */
export async function followIfNeeded(context: Context, dryRun: boolean): Promise<string | null> {
  const why = mayNeedFollow(await observeFollow(context, 'understudy_monitor'))
  if (why !== null && !dryRun) await queueUnit('start', units.follow)
  return why
}

/** Why the follow unit should look, or null where replication is as it should be. */
export function mayNeedFollow(seen: Seen): string | null {
  if (seen.leadership === UNKNOWN) return null
  const primary = currentPrimary(seen.leadership)
  if (!primary || primary.node === seen.node) return null
  if (
    seen.local !== UNKNOWN &&
    seen.local.role === 'standby' &&
    seen.streaming &&
    seen.upstream === primary.address
  )
    return null
  if (seen.local === UNKNOWN || seen.local.role === 'down') return 'PostgreSQL does not answer'
  return `${primary.node} is the primary, and this machine does not follow it`
}

/** repmgrd reads its role and upstream at start only. */
export const restartRepmgrd = (): Promise<void> => queueUnit('restart', units.repmgrd)

async function readUpstream(connection: Connection): Promise<Pick<FollowFacts, 'upstream' | 'streaming'>> {
  const [row] = await connection.query<{ conninfo: string; streaming: boolean }>(
    `select current_setting('primary_conninfo') as conninfo,
       exists (select from pg_stat_wal_receiver where status = 'streaming') as streaming`,
  )
  return {
    upstream: /\bhost=(\S+)/.exec(row?.conninfo ?? '')?.[1] ?? null,
    streaming: row?.streaming === true,
  }
}
