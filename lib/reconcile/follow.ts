import { UNKNOWN } from '../decide/facts.ts'
import { decideFollow, type FollowFacts, type FollowPlan } from '../decide/follow.ts'
import { units } from '../paths.ts'
import type { Context, Reconciler } from '../reconciler.ts'
import { slotName } from '../render/postgresql.ts'
import { repmgrConninfo } from '../render/repmgr.ts'
import { localDatabase, readRole } from '../world/database.ts'
import { type Connection, sqlLiteral, withDatabase } from '../world/postgres.ts'
import { queueUnit } from '../world/systemd.ts'
import { known, readLeadership } from './observe.ts'
import { dropSlots, ensureSlot } from './slots.ts'

const DATABASE_MS = 3000

/** Reads what {@link decideFollow} needs; `user` is who asks, the postgres or the consul system user. */
export async function observeFollow(
  { settings, consul }: Context,
  user: 'postgres' | 'understudy_monitor',
): Promise<FollowFacts> {
  const target = localDatabase(user, settings.postgresqlPort)
  const [leadership, database] = await Promise.all([
    known(readLeadership(consul)),
    known(
      withDatabase(target, DATABASE_MS, async (connection) => ({
        role: await readRole(connection),
        upstream: await readUpstream(connection),
      })),
    ),
  ])
  return {
    node: settings.node,
    leadership,
    local: database === UNKNOWN ? UNKNOWN : database.role,
    upstream: database === UNKNOWN ? null : database.upstream,
  }
}

/** Keeps a standby on the primary; sends a former primary to the rejoin unit. */
export const follow: Reconciler<FollowFacts, FollowPlan> = {
  name: 'follow',

  observe: (context) => observeFollow(context, 'postgres'),

  decide: decideFollow,

  async apply(plan, { settings }) {
    if (plan.do === 'rejoin') return queueUnit('start', units.rejoin)
    if (plan.do !== 'point') return
    const { host, port } = plan
    const slot = slotName(settings.repmgrId)
    // As repmgr on the new primary: in quorum mode the first commit there waits for this standby.
    await withDatabase({ host, port, user: 'repmgr', database: 'repmgr' }, DATABASE_MS, (primary) =>
      ensureSlot(primary, slot),
    )
    await withDatabase(localDatabase('postgres', settings.postgresqlPort), DATABASE_MS, async (own) => {
      await own.query(
        `alter system set primary_conninfo = ${sqlLiteral(repmgrConninfo(settings.node, host, port))}`,
      )
      await own.query(`alter system set primary_slot_name = ${sqlLiteral(slot)}`)
      await own.query('select pg_reload_conf()')
      await dropSlots(own)
    })
    // repmgrd keeps the old upstream in memory.
    await restartRepmgrd()
  },
}

/** repmgrd reads its role and upstream at start only. */
export const restartRepmgrd = (): Promise<void> => queueUnit('restart', units.repmgrd)

async function readUpstream(connection: Connection): Promise<string | null> {
  const [row] = await connection.query<{ conninfo: string }>(
    `select current_setting('primary_conninfo') as conninfo`,
  )
  return /\bhost=(\S+)/.exec(row?.conninfo ?? '')?.[1] ?? null
}
