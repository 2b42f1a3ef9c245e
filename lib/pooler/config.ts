import type { Behind } from '../consul/behind.ts'
import { LOOKUP_QUERY, LOOKUP_ROLE } from '../postgresql/config.ts'
import { postgresqlPaths } from '../postgresql/manifest.ts'
import { poolerPaths } from './manifest.ts'
import { renderSettings } from './settings.ts'

/** Where PgBouncer listens on every machine. */
export const PGBOUNCER_PORT = 6432

export interface PgbouncerTarget {
  address: string
  port: number
}

/**
 * The included file that says where PgBouncer sends its clients. Without a target it names a port of this machine that nothing
 * listens on, so that a PgBouncer that starts now cannot reach a former primary.
 */
export function renderDatabases({ databases, settings }: Behind, target: PgbouncerTarget | null): string {
  const { address, port } = target ?? NOBODY
  const lines = databases.map((name) => `${name} = host=${address} port=${port} dbname=${name}\n`)
  // It is included in the middle of that section: one that began anew here would begin with PgBouncer's defaults.
  const chosen = renderSettings(settings)
  return `${chosen}${chosen && '\n'}[databases]\n${lines.join('')}`
}

/** Where a PgBouncer is sent while there is no primary. */
export const NOBODY: PgbouncerTarget = { address: '127.0.0.1', port: 1 }

/** A name as PgBouncer's console takes it. */
export const quoteIdentifier = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`

/** Does this PgBouncer have `track_extra_parameters` (since 1.20)? @param said what `pgbouncer --version` prints. */
export function tracksMore(said: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(said) ?? []
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 20)
}

/**
 * pgbouncer.ini; what the cluster chooses is in the included file. See https://www.pgbouncer.org/config.html.
 * @param tracks see {@link tracksMore}.
 */
export function renderPgbouncer(tracks: boolean): string {
  return `;; Written by understudy. The next join overwrites local changes; understudy databases changes settings on every machine.
[pgbouncer]
logfile = /var/log/postgresql/pgbouncer.log
pidfile = /var/run/postgresql/pgbouncer.pid
listen_addr = *
listen_port = ${PGBOUNCER_PORT}
unix_socket_dir = ${postgresqlPaths.sockets}
auth_type = hba
auth_hba_file = ${poolerPaths.hba}
auth_file = ${poolerPaths.userlist}
;; Everybody who is not in that file: PostgreSQL is asked at each login, so that a change in SQL is in force at once.
auth_user = ${LOOKUP_ROLE}
auth_query = ${LOOKUP_QUERY}
admin_users = consul
stats_users = understudy_monitor

;; A server connection stays with one client for its whole session, so every feature of PostgreSQL works.
pool_mode = session
max_client_conn = 500
default_pool_size = 50
;; When the primary changes, leave the old one at the end of the transaction, not of the session.
server_fast_close = 1
server_login_retry = 0.2
server_connect_timeout = 2
query_wait_timeout = 60
tcp_keepalive = 1
tcp_keepidle = 1
tcp_keepintvl = 1
tcp_keepcnt = 2
;; A client that reads slowly is not dead, but this would disconnect both kinds. Who waits for a dead primary is ended when there is another.
tcp_user_timeout = 0
ignore_startup_parameters = extra_float_digits
${tracks ? TRACKED : ''}
;; Where the primary is, and what the cluster has chosen: it wins over what stands above.
%include ${poolerPaths.databases}
`
}

/**
 * PostgreSQL reports their values, and only so can PgBouncer bring into force what a client asks for at its start. Others in this list
 * would pass, and have no effect.
 */
const TRACKED = 'track_extra_parameters = IntervalStyle, default_transaction_read_only\n'

/**
 * Who may connect, and how. The consul user controls PgBouncer over the Unix socket without a password. `md5` is SCRAM for every user
 * whose secret in PostgreSQL is one.
 */
export function renderPgbouncerHba(): string {
  return `# Written by understudy.
local pgbouncer consul peer
local pgbouncer all reject
local all ${LOOKUP_ROLE} reject
host all ${LOOKUP_ROLE} 0.0.0.0/0 reject
host all ${LOOKUP_ROLE} ::/0 reject
local all all md5
host all all 0.0.0.0/0 md5
host all all ::/0 md5
`
}

/** Has a join written this list of users? PgBouncer reads no header in it. */
export const isOurUserlist = (text: string): boolean => /^"understudy_monitor" /m.test(text)

/** userlist.txt: the users whom PgBouncer knows without asking PostgreSQL, with their passwords or SCRAM secrets. */
export function renderUserlist(secrets: Readonly<Record<string, string>>): string {
  return `${Object.entries(secrets)
    .map(([user, secret]) => `"${user}" "${secret.replaceAll('"', '""')}"`)
    .join('\n')}\n`
}
