import { UNKNOWN } from '../decide/facts.ts'
import type { FenceFacts } from '../decide/fence.ts'
import { readSessions } from '../failover/session.ts'
import { units } from '../paths.ts'
import type { Context } from '../reconciler.ts'
import { localDatabase, readRole } from '../world/database.ts'
import { markFenced } from '../world/fence.ts'
import { withDatabase } from '../world/postgres.ts'
import { queueUnit, stopHard } from '../world/systemd.ts'
import { recordHistory } from './history.ts'
import { known, readLeadership } from './observe.ts'

const DATABASE_MS = 2000

export async function observeFence({ settings, consul }: Context): Promise<Omit<FenceFacts, 'waitedMs'>> {
  const target = localDatabase('postgres', settings.postgresqlPort, 'repmgr')
  const [leadership, sessions, database] = await Promise.all([
    known(readLeadership(consul)),
    known(readSessions(consul, settings.node)),
    known(
      withDatabase(target, DATABASE_MS, async (own) => {
        const role = await readRole(own)
        const [row] = await own.query<{ members: number; streaming: number }>(
          `select (select count(*)::int from repmgr.nodes) as members,
             (select count(*)::int from pg_stat_replication
              where state = 'streaming' and application_name in (select node_name from repmgr.nodes)) as streaming`,
        )
        return { role, ...row }
      }),
    ),
  ])
  const { members = 0, streaming = 0 } = database === UNKNOWN ? {} : database
  return {
    node: settings.node,
    local: database === UNKNOWN ? UNKNOWN : database.role,
    members,
    streaming,
    leadership,
    ownSessions: sessions === UNKNOWN ? UNKNOWN : sessions.own,
  }
}

/** Holds PgBouncer, gives up the virtual IP, stops PostgreSQL. It starts again by rejoin, when Consul says who leads. */
export async function applyFence(context: Context, why: string): Promise<void> {
  markFenced()
  await queueUnit('start', units.withdraw)
  await stopHard(units.postgresql(context.settings.postgresqlVersion))
  await recordHistory(context, 'fenced', why)
}
