import type { Context } from '../consul/handler.ts'
import { log } from '../core/log.ts'
import { stopHard, unit } from '../core/systemd.ts'
import type { Connection } from './client.ts'
import { postgresqlUnits } from './manifest.ts'

/** How long a restore_command that was running may go on: one that works takes less for a file that is not there. */
const ARCHIVE_MS = 2000
/** A standby that is started again replays the WAL since its last restart point first. */
const START_MS = 60_000

/**
 * Keeps replay going while something waits for it: a promotion, or a standby's connection to another primary. Neither is heeded
 * while replay waits for a reader, or for restore_command.
 *
 * @returns a look, to be repeated. It ends the transactions of readers that are in the way, and gives `archive` once a
 * restore_command has not ended for too long: then only {@link restartPostgresql} helps.
 */
export function keepReplaying(own: Connection): () => Promise<'archive' | null> {
  let archiveSince: number | null = null
  return async () => {
    archiveSince = (await clearTheWay(own)) === 'RestoreCommand' ? (archiveSince ?? performance.now()) : null
    return archiveSince !== null && performance.now() - archiveSince > ARCHIVE_MS ? 'archive' : null
  }
}

/**
 * Ends the transactions of readers if replay waits for one of them.
 * @returns what the startup process waits for, by its name in
 * https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TABLE.
 */
async function clearTheWay(own: Connection): Promise<string | null> {
  const [row] = await own.query<{ event: string | null; ended: number }>(
    `with startup as (
       select wait_event as event,
         wait_event_type in ('Lock', 'BufferPin') or wait_event like 'RecoveryConflict%' as conflict
       from pg_stat_activity where backend_type = 'startup')
     select (select event from startup) as event,
       (select count(pg_terminate_backend(pid))::int from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid() and xact_start is not null
          and (select conflict from startup)) as ended`,
  )
  if (row && row.ended > 0)
    log('failover', { do: 'end-readers', why: 'replay waits for them', transactions: row.ended })
  return row?.event ?? null
}

/** Restarts PostgreSQL on this machine: it forgets a promotion that has not happened, and whatever it waits for. */
export async function restartPostgresql({ settings }: Context, why: string): Promise<void> {
  log('failover', { do: 'restart', why })
  const service = postgresqlUnits.server(settings.postgresqlVersion)
  await stopHard(service)
  await unit('start', service, START_MS)
}
