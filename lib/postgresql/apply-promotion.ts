import { setTimeout as pause } from 'node:timers/promises'
import { namesIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { log } from '../core/log.ts'
import { stopHard, unit } from '../core/systemd.ts'
import { waitFor } from '../core/wait.ts'
import { type Connection, withDatabase } from './client.ts'
import { renderSynchronous } from './config-synchronous.ts'
import { localDatabase, readRole } from './database.ts'
import { commitRule, isSynchronous, NO_WAIT } from './decide-durability.ts'
import { postgresqlKeys, postgresqlUnits } from './manifest.ts'
import { IN_EFFECT_MS, setAndReload } from './setting.ts'
import { evictStandbys } from './slots.ts'

/** How long a promotion may take: PostgreSQL replays what it has received, mostly in milliseconds. */
const PROMOTE_MS = 10_000
/** How often it is looked at: part of every failover. */
const LOOK_AGAIN_MS = 20
/** How long a restore_command that was running may go on: one that works takes less for a file that is not there. */
const ARCHIVE_MS = 1000
/** A standby that is started again replays the WAL since its last restart point first. */
const START_MS = 60_000

/** The synchronous_standby_names of a new primary: its first commit has to wait like all others. */
export async function firstCommits({ settings, consul }: Context): Promise<string> {
  const [config, members] = await Promise.all([
    consul.get(consulKeys.config),
    consul.list(postgresqlKeys.nodes),
  ])
  const names = namesIn(members)
  const others = names.filter((name) => name !== settings.node)
  const waits = isSynchronous(config?.value.durability ?? 'quorum', names.length)
  return renderSynchronous(waits ? commitRule(others) : NO_WAIT)
}

/** Makes PostgreSQL on this machine, a standby whose WAL receiver has stopped, the primary. @throws if it does not become it in time. */
export async function promote(context: Context): Promise<void> {
  if ((await tryToPromote(context)) === 'primary') return
  log('failover', { do: 'restart', why: 'PostgreSQL waits for its archive and does not heed the promotion' })
  await restartPostgresql(context)
  await tryToPromote(context)
}

/** Restarts PostgreSQL on this machine: it forgets a promotion that has not happened, and whatever it waits for. */
export async function restartPostgresql({ settings }: Context): Promise<void> {
  const service = postgresqlUnits.server(settings.postgresqlVersion)
  await stopHard(service)
  await unit('start', service, START_MS)
}

/** @returns `archive` if PostgreSQL waits for a restore_command that does not end. */
async function tryToPromote(context: Context): Promise<'primary' | 'archive'> {
  const names = await firstCommits(context)
  const target = localDatabase('postgres', context.settings.postgresqlPort)
  return withDatabase(target, PROMOTE_MS, async (own) => {
    // A standby that points here must not stream what is not published, as another member's timeline may have the same number.
    await evictStandbys(own)
    // Stopping the WAL receiver has set it already, unless the members have changed since.
    if (await setAndReload(own, { synchronous_standby_names: names })) await pause(IN_EFFECT_MS)
    await own.query('select pg_promote(false)')
    let archiveSince: number | null = null
    return waitFor(
      'PostgreSQL to be promoted',
      PROMOTE_MS,
      async () => {
        if ((await readRole(own)).role === 'primary') return 'primary'
        archiveSince =
          (await clearTheWay(own)) === 'RestoreCommand' ? (archiveSince ?? performance.now()) : null
        return archiveSince !== null && performance.now() - archiveSince > ARCHIVE_MS ? 'archive' : null
      },
      LOOK_AGAIN_MS,
    )
  })
}

/**
 * Ends the transactions of readers if replay waits for one of them, as a promotion does not cancel them.
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
