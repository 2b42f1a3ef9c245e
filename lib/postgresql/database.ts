import { EXIT, UnderstudyError } from '../core/errors.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type Connection, isServerError, type Target, withDatabase } from './client.ts'
import { parseLsn } from './lsn.ts'
import { postgresqlPaths } from './manifest.ts'
import type { AliveDatabase, LocalDatabase, ProbedDatabase } from './role.ts'

/** The database of this machine, through its Unix socket. */
export const localDatabase = (
  user: 'postgres' | 'understudy_monitor',
  port: number,
  database = 'postgres',
): Target => ({
  host: postgresqlPaths.sockets,
  port,
  user,
  database,
})

/** Another member's database, read-only. Without a password it comes from the file that PGPASSFILE names. */
export const remoteDatabase = (host: string, port: number, password?: string): Target => ({
  host,
  port,
  user: 'understudy_monitor',
  database: 'postgres',
  ...(password === undefined ? {} : { password }),
})

/**
 * Role, timeline and position of a database. The timeline of a primary is that of the WAL file it writes; a standby knows
 * its own from four places, of which each may lag. A standby that was started anew first replays what it has on disk: it
 * is through with that once it has asked for more (a receive position) or waits for it.
 */
export async function readRole(connection: Connection): Promise<LocalDatabase> {
  const [row] = await connection.query<{
    standby: boolean
    timeline: number
    lsn: string | null
    replayed: string | null
    receiverStopped: boolean | null
    paused: boolean | null
  }>(`
    select pg_is_in_recovery() as standby,
      case when pg_is_in_recovery()
        then greatest((select timeline_id from pg_control_checkpoint()),
                      (select min_recovery_end_timeline from pg_control_recovery()),
                      (select received_tli from pg_stat_wal_receiver),
                      (select max(('x' || substr(name, 1, 8))::bit(32)::int) from pg_ls_waldir()
                       where name ~ '^[0-9A-F]{24}$'))
        else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
      end as timeline,
      case when pg_is_in_recovery() then
        current_setting('primary_conninfo') = '' and not exists (select from pg_stat_wal_receiver)
        and (pg_last_wal_receive_lsn() is not null or exists (
          select from pg_stat_activity where backend_type = 'startup'
            and wait_event in ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')))
      end as "receiverStopped",
      case when pg_is_in_recovery()
        then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text
      end as lsn,
      pg_last_wal_replay_lsn()::text as replayed,
      case when pg_is_in_recovery() then pg_is_wal_replay_paused() end as paused`)
  if (!row) throw new Error('the database did not say what its role is')
  const { timeline } = row
  if (!row.standby) return { role: 'primary', timeline }
  const lsn = (text: string | null): bigint => (text === null ? 0n : parseLsn(text))
  return {
    role: 'standby',
    timeline,
    receivedLsn: lsn(row.lsn),
    replayedLsn: lsn(row.replayed),
    receiverStopped: row.receiverStopped === true,
    ...(row.paused && { paused: true }),
  }
}

/** SQLSTATE too_many_connections. */
const NO_CONNECTION_LEFT = '53300'

/**
 * {@link withDatabase} for the monitoring role. Where clients have taken all connections, it asks as repmgr: PostgreSQL keeps some for
 * superusers, and before version 16 for nobody else. Who has no password of repmgr gets the first error.
 * @param address of the same server, where `target` is a socket: repmgr logs in with a password.
 * @param ask in which session.
 */
export async function withMonitor<T>(
  target: Target,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
  address: string = target.host,
  ask: typeof withDatabase = withDatabase,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  try {
    return await ask(target, timeoutMs, work)
  } catch (error) {
    const answer = aliveBy(error)
    if (answer?.sqlstate !== NO_CONNECTION_LEFT || target.user !== 'understudy_monitor') throw error
    const superuser = { host: address, port: target.port, user: 'repmgr', database: target.database }
    return ask(superuser, Math.max(1, deadline - performance.now()), work).catch(() => {
      throw error
    })
  }
}

/** {@link readRole} of any database, or that it is alive or down; unknown if nothing answers within the deadline. */
export async function probe(
  target: Target,
  timeoutMs: number,
  ask: typeof withDatabase = withDatabase,
): Promise<ProbedDatabase | Unknown> {
  try {
    return await withMonitor(target, timeoutMs, readRole, target.host, ask)
  } catch (error) {
    if (nobodyListens(error)) return { role: 'down' }
    return aliveBy(error) ?? UNKNOWN
  }
}

/** SQLSTATE invalid_password: also where the server asks for a password and there is none. */
export const NO_PASSWORD = '28P01'

/** The error, or a cause of it, that only a PostgreSQL which is alive can lead to; null if there is none. */
function aliveBy(error: unknown): AliveDatabase | null {
  if (!(error instanceof Error)) return null
  if (isServerError(error)) return { role: 'alive', sqlstate: error.code, says: error.message }
  // The password is looked up only when the server asks for it.
  if (error instanceof UnderstudyError && error.exitCode === EXIT.config)
    return { role: 'alive', sqlstate: NO_PASSWORD, says: error.message }
  return aliveBy(error.cause)
}

/** Has a connection failed because nothing listens there? Any other failure may be the network's. A firewall may say so too. */
export function nobodyListens(error: unknown): boolean {
  const code = ((error as Error).cause as { code?: string } | undefined)?.code
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}

/** {@link probe} of this machine: if nothing listens on its socket, PostgreSQL is down. */
export async function probeLocal(target: Target, timeoutMs: number): Promise<LocalDatabase | Unknown> {
  try {
    return await withDatabase(target, timeoutMs, readRole)
  } catch (error) {
    return nobodyListens(error) ? { role: 'down' } : UNKNOWN
  }
}
