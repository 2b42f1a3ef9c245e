import type { Config, Credentials } from '../consul/manifest.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { run } from '../core/exec.ts'
import { unit } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import { hbaLines, identLines, renderPostgresql, withManagedBlock } from './config.ts'
import { SESSION_OPTIONS } from './config-session.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { scramSecret } from './scram.ts'

/** Where Debian's cluster main listens. */
export const POSTGRESQL_PORT = 5432
/** A few small statements; creating a database copies a template of some megabytes. */
const SQL_MS = 30_000
/** A server that was not stopped cleanly replays its WAL before it counts as started. */
const START_MS = 300_000
/** A standby that has just started replays the WAL of its copy first; then it connects to the primary, every 5 s if that fails. */
const STREAMING_MS = 60_000

/** Runs SQL as the postgres system user over the Unix socket. The text goes over stdin, so that no secret is in argv. */
async function sql(as: SystemUser, port: number, database: string, text: string): Promise<string> {
  const args = [
    '-XAtq',
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
      input: text,
      timeoutMs: SQL_MS,
      env: { PGOPTIONS: SESSION_OPTIONS },
    })
  ).trim()
}

/** Writes the settings of a member; the server reads them at its next start or reload. */
export function configurePostgresql(version: number, port: number, network: string, as: SystemUser): void {
  replaceFile(postgresqlPaths.config(version), renderPostgresql(port), { ...as, mode: 0o644 })
  for (const [file, lines] of [
    [postgresqlPaths.hba(version), hbaLines(network)],
    [postgresqlPaths.ident(version), identLines()],
  ] as const) {
    replaceFile(file, withManagedBlock(readText(file) ?? '', lines), { ...as, mode: 0o640 })
  }
}

/** Starts the server where it is down, restarts it where a setting needs that, else reloads it. */
export async function applyConfiguration(version: number, port: number, as: SystemUser): Promise<void> {
  const service = postgresqlUnits.server(version)
  await unit('start', service, START_MS)
  const pending = await sql(
    as,
    port,
    'postgres',
    `select count(*) from pg_file_settings where sourcefile like '%/understudy.conf' and not applied`,
  )
  await unit(pending === '0' ? 'reload' : 'restart', service, START_MS)
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
    ['repmgr', 'superuser replication', credentials.repmgr],
    ['understudy_monitor', 'in role pg_monitor', credentials.monitor],
    [user, '', credentials.app],
  ] as const
  const statements = roles.flatMap(([role, attributes, password]) => [
    `select 'create role ${role} login ${attributes}' where not exists (select from pg_roles where rolname = '${role}')\\gexec`,
    `select 'alter role ${role} password ''${scramSecret(role, password)}''' from pg_authid
       where rolname = '${role}' and rolpassword is distinct from '${scramSecret(role, password)}'\\gexec`,
  ])
  const databases = [
    ['repmgr', 'repmgr'],
    [database, user],
  ].map(
    ([name, owner]) =>
      `select 'create database ${name} owner ${owner}' where not exists (select from pg_database where datname = '${name}')\\gexec`,
  )
  await sql(as, port, 'postgres', [...statements, ...databases].join('\n'))
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
              (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema'))`,
  )
  return used === '0'
}

/** Identifies the database across all its copies. Works on a stopped server. */
export async function systemIdentifier(version: number): Promise<string | null> {
  const said = await run(postgresqlPaths.bin(version, 'pg_controldata'), [postgresqlPaths.data(version)], {
    env: { LC_ALL: 'C' },
  }).catch(() => '')
  return /^Database system identifier:\s+(\d+)$/m.exec(said)?.[1] ?? null
}
