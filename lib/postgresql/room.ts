import { log } from '../core/log.ts'
import type { Connection } from './client.ts'

/**
 * Ends sessions of readers until half of the connections are free, idle ones first: the clients of every PgBouncer are about to come.
 * Nobody else is connected to a standby that is being promoted, as no PgBouncer points at it yet.
 * @param own a session of a superuser.
 */
export async function makeRoom(own: Connection): Promise<void> {
  const [row] = await own.query<{ ended: number }>(
    `with clients as (
       select pid, state, backend_start, rolsuper or rolname = 'understudy_monitor' as ours
       from pg_stat_activity join pg_roles on pg_roles.oid = usesysid where backend_type = 'client backend')
     select count(pg_terminate_backend(pid))::int as ended from (
       select pid from clients where not ours order by state <> 'idle', backend_start
       limit greatest(0, (select count(*) from clients) - current_setting('max_connections')::int / 2)) as readers`,
  )
  if (row && row.ended > 0)
    log('failover', { do: 'end-readers', why: 'PgBouncer needs their connections', sessions: row.ended })
}
