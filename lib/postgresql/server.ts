import type { LocalPostgresql } from '../consul/joining.ts'
import type { Config, Credentials, DurabilityMode } from '../consul/manifest.ts'
import { changeFile, readText, replaceFile } from '../core/atomic-files.ts'
import { run } from '../core/exec.ts'
import { unit } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import { sqlLiteral } from './client.ts'
import {
  hbaLines,
  identLines,
  includeLines,
  lastHbaLines,
  parametersIn,
  renderPostgresql,
  withManagedBlock,
} from './config.ts'
import { PSQL_STATEMENTS, SESSION_OPTIONS, sessionDefaultsOf } from './config-session.ts'
import { readControlData } from './control-data.ts'
import type { FoundRole, OpeningFacts, RoleFacts } from './decide-join.ts'
import { type ConfiguredParameter, overrulings } from './decide-parameters.ts'
import { type SettingInEffect, settingProblems, unsafeOf } from './decide-settings.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { SERVER_SETTINGS } from './observe-settings.ts'
import { RANDOM_ITERATIONS, scramSecret } from './scram.ts'

/** A few small statements; creating a database copies a template of some megabytes. */
const SQL_MS = 30_000
/** A server that was not stopped cleanly replays its WAL before it counts as started. */
const START_MS = 300_000
/** It notes its state in a file. */
const READY_EVERY_MS = 50
/** The postmaster heeds a reload within milliseconds; a busy machine takes a second. */
const RELOAD_MS = 10_000
/** A standby that has just started replays the WAL of its copy first; then it connects to the primary, every 5 s if that fails. */
const STREAMING_MS = 60_000

/** Runs SQL as the postgres system user over the Unix socket. The text goes over stdin, so that no secret is in argv. */
async function sql(as: SystemUser, port: number, database: string, text: string): Promise<string> {
  const args = [
    '-XAtqw',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    postgresqlPaths.sockets,
    '-p',
    String(port),
    '-d',
    database,
    '-f',
    '-',
  ]
  return (
    await run('psql', args, {
      ...as,
      input: `${PSQL_STATEMENTS}\n${text}`,
      timeoutMs: SQL_MS,
      env: { PGOPTIONS: SESSION_OPTIONS },
    })
  ).trim()
}

/** The process and the start of a postmaster that has noted that it lets clients in; a dead one may have left that note. */
function readyPostmaster(version: number): string | null {
  // What pg_ctl(1) goes by: the process, the time of its start and its state are lines 1, 3 and 8 (utils/pidfile.h).
  const lines = (readText(`${postgresqlPaths.data(version)}/postmaster.pid`) ?? '').split('\n')
  return lines[7]?.trim() === 'ready' ? `${lines[0]} since ${lines[2]}` : null
}

/**
 * Starts or restarts the server, and waits until it lets clients in. Debian's pg_ctlcluster(1) looks at a new server for another two
 * seconds before its unit counts as started.
 * @returns the end of the job, for whoever wants another one of the same unit.
 */
async function runServer(verb: 'start' | 'restart', version: number): Promise<{ settled: Promise<void> }> {
  const before = readyPostmaster(version)
  const settled = unit(verb, postgresqlUnits.server(version), START_MS)
  let ended = false
  const end = (): void => {
    ended = true
  }
  settled.then(end, end)
  const look = async (): Promise<true | null> => {
    const found = readyPostmaster(version)
    return ended || (found !== null && found !== before) || null
  }
  await waitFor('PostgreSQL to start', START_MS, look, READY_EVERY_MS)
  // Where the job has failed, this says so; where the server has been running, there was nothing to wait for.
  if (ended) await settled
  return { settled }
}

/** Starts the server where it is down, and waits until it lets clients in. */
export const startServer = async (version: number): Promise<void> => {
  await runServer('start', version)
}

/** The rows of a query, by way of JSON. */
async function rows<R>(as: SystemUser, port: number, query: string): Promise<R[]> {
  const text = `select coalesce(json_agg(row_to_json(found)), '[]') from (${query}) as found`
  return JSON.parse(await sql(as, port, 'postgres', text)) as R[]
}

/** Every line of the configuration files in PostgreSQL's order, as they are now. */
const readLines = (port: number, as: SystemUser): Promise<ConfiguredParameter[]> =>
  rows(
    as,
    port,
    `select coalesce(lower(line.name), '') as name, coalesce(line.setting, '') as value, line.sourcefile as file,
       line.sourceline as line, line.error, known.unit
     from pg_file_settings as line left join pg_settings as known on known.name = lower(line.name) order by line.seqno`,
  )

/** What a server says of itself before anything is changed. */
export async function readOpening(port: number, as: SystemUser): Promise<OpeningFacts> {
  const [facts] = await rows<Omit<OpeningFacts, 'lines'>>(
    as,
    port,
    `select current_setting('data_directory') as "dataDirectory", current_setting('hba_file') as "hbaFile",
       current_setting('ident_file') as "identFile", current_setting('synchronous_standby_names') as synchronous,
       pg_is_in_recovery() as standby,
       (select coalesce(json_agg(name), '[]') from pg_settings where source = 'command line') as "commandLine"`,
  )
  if (!facts) throw new Error('the database did not say how it is configured')
  return { ...facts, lines: await readLines(port, as) }
}

/** Asks for the roles of ours and the application's. @returns rows of {@link FoundRole}. */
export const rolesQuery = (user: string): string =>
  `select rolname as name, rolpassword as secret, rolcanlogin as login, rolsuper as superuser,
     rolreplication as replication, coalesce(rolvaliduntil <= now(), false) as expired, rolconnlimit <> 0 as "mayConnect"
   from pg_authid where rolname in ('repmgr', 'understudy_monitor', ${sqlLiteral(user)})`

/** Asks for those of these databases that the application's user, whether it exists or not, cannot connect to. */
export const closedQuery = (databases: readonly string[], user: string): string =>
  `select datname as name from pg_database
   where datname in (${databases.map(sqlLiteral).join(', ')})
     and not (datallowconn and datconnlimit <> 0 and has_database_privilege(
       coalesce((select rolname from pg_roles where rolname = ${sqlLiteral(user)}), 'public'), oid, 'connect'))
   order by 1`

/** The roles and the database of ours, and those of the application, as far as they exist. */
export async function readRoles(
  port: number,
  as: SystemUser,
  user: string,
  databases: readonly string[],
): Promise<Pick<RoleFacts, 'roles' | 'repmgrDatabase' | 'closedDatabases'>> {
  const roles = await rows<FoundRole>(as, port, rolesQuery(user))
  const closed = await rows<{ name: string }>(as, port, closedQuery(databases, user))
  const found = await sql(as, port, 'postgres', `select 1 from pg_database where datname = 'repmgr'`)
  return { roles, repmgrDatabase: found !== '', closedDatabases: closed.map(({ name }) => name) }
}

/** Writes the settings of a member; the server reads them at its next start or reload. */
export function configurePostgresql(
  { version, port, parameters }: LocalPostgresql,
  network: string,
  user: string,
  as: SystemUser,
): void {
  const { config, serverConfig, hba, ident } = postgresqlPaths
  replaceFile(config(version), renderPostgresql(port, version, parameters), { ...as, mode: 0o644 })
  changeFile(serverConfig(version), (text) => withManagedBlock(text, includeLines(), 'last'), {
    ...as,
    mode: 0o644,
  })
  changeFile(
    hba(version),
    (text) =>
      withManagedBlock(withManagedBlock(text, hbaLines(network, user)), lastHbaLines(network), 'last'),
    { ...as, mode: 0o640 },
  )
  changeFile(ident(version), (text) => withManagedBlock(text, identLines()), { ...as, mode: 0o640 })
}

/**
 * Brings the settings into effect: starts the server where it is down, restarts it where a setting of ours needs that, else reloads
 * it. What ALTER SYSTEM has set wins over all files, so it is changed there.
 * @throws one sentence for the first setting that is not in effect then.
 */
export async function applyConfiguration(
  { version, port }: LocalPostgresql,
  mode: DurabilityMode,
  as: SystemUser,
): Promise<void> {
  const { settled } = await runServer('start', version)
  const wanted = parametersIn(readText(postgresqlPaths.config(version)) ?? '')
  const changes = overrulings(wanted, await readLines(port, as), mode)
  for (const [name, values] of changes)
    await sql(as, port, 'postgres', `alter system set ${name} = ${values.map(sqlLiteral).join(', ')}`)
  const lines = await readLines(port, as)
  const pending = lines.some(({ name, error }) => error !== null && wanted.has(name))
  if (pending) {
    // A restart would end a start that is not over by other means.
    await settled
    await runServer('restart', version)
  } else await sql(as, port, 'postgres', 'select pg_reload_conf()')
  await waitFor('the settings of a member to be in effect', RELOAD_MS, async () => {
    const found = await rows<SettingInEffect>(as, port, SERVER_SETTINGS)
    const [problem] = settingProblems(unsafeOf(found), mode)
    if (problem === undefined) return true
    throw new Error(problem)
  })
}

/** Roles, databases and repmgr's extension. Creates what is missing and leaves the rest as it is. */
export async function createRoles(
  port: number,
  config: Config,
  credentials: Credentials,
  as: SystemUser,
): Promise<void> {
  const { database, user } = config
  const roles = [
    // First: join takes it for the sign that the others are ours.
    ['understudy_monitor', 'in role pg_monitor', scramSecret('understudy_monitor', credentials.monitor)],
    ['repmgr', 'superuser replication', scramSecret('repmgr', credentials.repmgr, RANDOM_ITERATIONS)],
    [user, '', scramSecret(user, credentials.app)],
  ] as const
  const statements = roles.flatMap(([role, attributes, secret]) => [
    `select 'create role "${role}" login ${attributes}' where not exists (select from pg_roles where rolname = '${role}')\\gexec`,
    `select 'alter role "${role}" password ''${secret}''' from pg_authid
       where rolname = '${role}' and rolpassword is distinct from '${secret}'\\gexec`,
  ])
  const databases = [
    ['repmgr', 'repmgr'],
    [database, user],
  ].map(
    ([name, owner]) =>
      `select 'create database "${name}" owner "${owner}"' where not exists (select from pg_database where datname = '${name}')\\gexec`,
  )
  await sql(as, port, 'postgres', [...statements, ...sessionDefaultsOf('repmgr'), ...databases].join('\n'))
}

/** Waits until the standby receives WAL. */
export async function waitForStreaming(port: number, as: SystemUser): Promise<void> {
  await waitFor('the standby to stream from the primary', STREAMING_MS, async () => {
    const state = await sql(as, port, 'postgres', `select status from pg_stat_wal_receiver`)
    return state === 'streaming' || null
  })
}

/** Has anybody used this server? What Debian's package creates at its installation counts as empty. */
export async function isPristine(port: number, as: SystemUser): Promise<boolean> {
  const used = await sql(
    as,
    port,
    'postgres',
    `select (select count(*) from pg_database where datname not in ('postgres', 'template0', 'template1'))
          + (select count(*) from pg_roles where rolname !~ '^pg_' and rolname <> 'postgres')
          + (select count(*) from pg_class where relnamespace not in
              (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema'))
          + (select count(*) from pg_proc where pronamespace not in
              (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema'))
          + (select count(*) from pg_largeobject_metadata)
          + (select count(*) from pg_tablespace where spcname not in ('pg_default', 'pg_global'))`,
  )
  return used === '0'
}

/** Identifies the database across all its copies. Works on a stopped server. */
export async function systemIdentifier(version: number): Promise<string | null> {
  const said = await readControlData(version).catch(() => '')
  return /^Database system identifier:\s+(\d+)$/m.exec(said)?.[1] ?? null
}
