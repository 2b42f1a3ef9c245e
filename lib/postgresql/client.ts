import type { Client, ClientConfig, QueryConfig, QueryResultRow } from 'pg'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { keepNothing, keepQuestion } from '../core/questions.ts'
import { LOOKUP_ROLE } from './config.ts'
import { SESSION_OPTIONS, sessionStatements } from './config-session.ts'
import { passwordFromFile } from './passfile.ts'

/** How to reach a database: a local Unix socket (peer authentication) or an address with a password. */
export interface Target {
  host: string
  port: number
  user: string
  database: string
  password?: string
  /**
   * PgBouncer's console: it refuses the options of a session. By statement, the columns of its answer that count for `quick-check`, with
   * spaces between them, as others change with every client; null: none does. Of other statements all columns count.
   */
  console?: Readonly<Record<string, string | null>>
}

export interface Connection {
  /** Runs one statement. With `values` undefined the simple protocol is used, which PgBouncer's console needs. */
  query<R extends QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<R[]>
}

/**
 * Connects, does the work and disconnects, all within one deadline.
 * @throws {UnderstudyError} `unavailable` if the database cannot be reached in time, with the cause.
 */
export async function withDatabase<T>(
  target: Target,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  const client = await openSession(target, timeoutMs)
  try {
    return await inSession(client, target, deadline, work)
  } finally {
    // Not awaited: with a silent machine it would take until TCP gives up.
    client.end().catch(() => {})
  }
}

/** Connects and logs in. @throws as {@link withDatabase} does. */
export async function openSession(target: Target, timeoutMs: number): Promise<Client> {
  const { console, password, ...place } = target
  const client = await connect(target, {
    ...place,
    ...(console ? {} : { options: SESSION_OPTIONS }),
    // Called only if the server asks for a password, which it does not over the Unix socket.
    password: password ?? (async () => passwordFromFile(target.user)),
    connectionTimeoutMillis: timeoutMs,
    application_name: 'understudy',
  })
  // A connection that breaks while idle emits 'error'; the next query reports it.
  client.on('error', () => {})
  return client
}

/** Does the work in a session that is open. @param deadline by performance.now(). @throws as {@link withDatabase} does. */
export async function inSession<T>(
  client: Client,
  target: Target,
  deadline: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const kept = keep(target)
  try {
    return await work({
      async query<R extends QueryResultRow>(sql: string, values?: readonly unknown[]) {
        const counts = target.console?.[sql]
        if (target.console && counts !== null) keepQuestion('sql', ...kept, sql, counts ?? '')
        const left = Math.max(1, deadline - performance.now())
        // pg takes it with each query as well as with the client, but its types do not know.
        const query = { text: sql, ...(values ? { values: [...values] } : {}), query_timeout: left }
        return (await client.query<R>(query)).rows
      },
    })
  } catch (cause) {
    if (isAnswer(cause)) throw cause
    throw new UnderstudyError(EXIT.unavailable, `lost ${target.database} at ${target.host}:${target.port}`, {
      cause,
    })
  }
}

/** An error that the server itself has answered; codes of Node such as EPIPE look like an SQLSTATE, but have no severity. */
export interface ServerError extends Error {
  /** Its SQLSTATE. */
  code: string
  severity: string
}

export const isServerError = (error: unknown): error is ServerError =>
  error instanceof Error &&
  'severity' in error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^[0-9A-Z]{5}$/.test(error.code)

/** Has the server answered the work with an error, other than that it goes down (class 57P)? */
const isAnswer = (error: unknown): boolean =>
  error instanceof UnderstudyError || (isServerError(error) && !error.code.startsWith('57P'))

/** Of an activity: the process waits to write the log. */
export const WAITS_FOR_WAL = `wait_event_type in ('IO', 'LWLock') and wait_event ilike 'wal%'`

/**
 * What tells `quick-check` that another look of `check` at a server would find the same, whatever it asks there, also while clients write:
 * every setting of the server is loaded at a time, those of databases and roles are few, changes of roles and damage are counted, what
 * PgBouncer's role may do in each database is listed, and the rest are processes. The last one: a process waits to write the log, and for
 * half a second none is written. By functions, as the views that are made of them cost a new session as much again as its start.
 */
export const STATE = `select pg_is_in_recovery(), pg_postmaster_start_time(), pg_conf_load_time(),
    case when pg_is_in_recovery() then pg_is_wal_replay_paused() end, pg_stat_get_db_checksum_failures(0);
  select pid, status from pg_stat_get_wal_receiver();
  select pid, state, sync_state from pg_stat_get_wal_senders();
  select slot_name, active_pid, wal_status from pg_get_replication_slots();
  select oid, datname, pg_stat_get_db_checksum_failures(oid) from pg_database;
  select setdatabase, setrole, setconfig from pg_db_role_setting;
  select pg_stat_get_tuples_inserted(oid), pg_stat_get_tuples_updated(oid), pg_stat_get_tuples_deleted(oid)
    from unnest(array['pg_authid'::regclass, 'pg_auth_members']) as oid;
  select dbid, classid, objid from pg_shdepend
    where refclassid = 'pg_authid'::regclass and refobjid = to_regrole('${LOOKUP_ROLE}') order by 1, 2, 3;
  with recursive look as (
    select 0 as number, pg_current_wal_flush_lsn() as before, false as moves
    where not pg_is_in_recovery() and exists (
      select from pg_stat_get_activity(null) where ${WAITS_FOR_WAL})
    union all
    select number + 1, before, pg_current_wal_flush_lsn() <> before from look, pg_sleep(0.05)
    where not moves and number < 10
  ) select coalesce(not bool_or(moves), false) from look`

/** Keeps the question whether a server answers, and what it is. @returns what names the server in further questions. */
function keep({ host, port, user, database, console }: Target): readonly (string | number)[] {
  const local = console ? [host, port, user, database] : [host, port, 'understudy_monitor', 'postgres']
  if (host.startsWith('/')) keepQuestion('database', ...local, ...(console ? [] : [SESSION_OPTIONS]))
  else keepNothing()
  if (!console) keepQuestion('sql', ...local, STATE)
  return local
}

/** What a server says of itself when a session begins. */
interface ParameterStatus {
  parameterName: string
  parameterValue: string
}

async function connect(target: Target, config: ClientConfig): Promise<Client> {
  // pg looks for Cloudflare's runtime by way of navigator, whose getter costs 30 ms on Node 20.
  const scope = globalThis as { navigator?: { userAgent: string } }
  scope.navigator ??= { userAgent: 'Node.js' }
  const { default: pg } = await import('pg')
  const client = new pg.Client(config)
  try {
    let version = 0
    client.connection.on('parameterStatus', ({ parameterName, parameterValue }: ParameterStatus) => {
      if (parameterName === 'server_version') version = Number.parseInt(parameterValue, 10)
    })
    await client.connect()
    for (const text of sessionStatements(version))
      await client.query({ text, query_timeout: config.connectionTimeoutMillis } as QueryConfig)
    return client
  } catch (cause) {
    client.end().catch(() => {})
    throw new UnderstudyError(
      EXIT.unavailable,
      `could not connect to ${target.database} at ${target.host}:${target.port} as ${target.user}`,
      { cause },
    )
  }
}

/** An SQL string constant, for statements that take no parameters (ALTER SYSTEM). */
export const sqlLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`
