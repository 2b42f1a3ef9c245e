/** Logs in for PgBouncer to ask for the secret of a user. It may call one function, and nothing else. */
export const LOOKUP_ROLE = 'understudy_pooler'
/** What PgBouncer asks about every user who logs in. See https://www.pgbouncer.org/config.html#auth_query. */
export const LOOKUP_QUERY = 'select name, secret from understudy.login($1)'

/**
 * conf.d/understudy.conf: what streaming replication, repmgr and pg_rewind need.
 * @param merged values that serve the operator's settings as well as ours, by name.
 */
export const renderPostgresql = (
  port: number,
  version: number,
  merged: ReadonlyMap<string, string> = new Map(),
): string =>
  defaults(port, version).replace(/^(\w+) = .*$/gm, (line, name: string) => {
    const value = merged.get(name)
    return value === undefined ? line : `${name} = ${quote(value)}`
  })

/** The parameters in what {@link renderPostgresql} makes. */
export const parametersIn = (text: string): Map<string, string> =>
  new Map(
    Array.from(text.matchAll(/^(\w+) = (?:'(.*)'|(.*))$/gm), ([, name = '', quoted, bare = '']) => [
      name,
      quoted === undefined ? bare : unquote(quoted),
    ]),
  )

/** A value in a configuration file, see https://www.postgresql.org/docs/current/config-setting.html. */
const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
const unquote = (text: string): string =>
  text.replace(/\\(.)|''/g, (_all, escaped?: string) => escaped ?? "'")

function defaults(port: number, version: number): string {
  return `# Written by understudy. The next join overwrites local changes.
listen_addresses = '*'
port = ${port}
shared_preload_libraries = 'repmgr'

# 50 connections of the PgBouncer on each of five machines, and some to spare.
max_connections = 300
# For us, when clients have taken all others.
superuser_reserved_connections = 10
${version < 16 ? '' : 'reserved_connections = 10\n'}
# What a commit is acknowledged for: see docs/adr/0030-proof-that-commits-wait.md. Whatever undoes it is reported.
synchronous_commit = on
fsync = on
full_page_writes = on

# Before a postmaster that died is up again: one call for the disk, not one for each file.
recovery_init_sync_method = 'syncfs'

wal_level = replica
hot_standby = on
# pg_rewind needs data checksums or this.
wal_log_hints = on
max_wal_senders = 20
max_replication_slots = 20
wal_keep_size = '256MB'
# A member that stays away too long must be cloned: its WAL must not fill the primary's disk.
max_slot_wal_keep_size = '4GB'

# The defaults (60 s, 60 s, 5 s) are too slow to notice a silent machine.
wal_sender_timeout = '3s'
wal_receiver_timeout = '3s'
wal_receiver_status_interval = '1s'
wal_retrieve_retry_interval = '100ms'
tcp_keepalives_idle = 1
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
# A client that reads slowly is not dead, but this would disconnect both kinds. Members set it on their own side.
tcp_user_timeout = 0
`
}

/** At which end of a file a block of ours stands, and what marks it. */
const MARKS = {
  first: ['# BEGIN understudy', '# END understudy'],
  last: ['# BEGIN understudy, last lines', '# END understudy, last lines'],
} as const

/** Puts the lines of understudy at one end of a file of the operator, or replaces those from an earlier join. */
export function withManagedBlock(
  text: string,
  lines: readonly string[],
  where: keyof typeof MARKS = 'first',
): string {
  const [begin, end] = MARKS[where].map((mark) => `${mark}\n`) as [string, string]
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`
  const [from, to] = [whole.indexOf(begin), whole.indexOf(end, whole.indexOf(begin))]
  const rest = from >= 0 && to > from ? whole.slice(0, from) + whole.slice(to + end.length) : whole
  const block = `${begin}${lines.join('\n')}\n${end}`
  return where === 'first' ? block + rest : rest + block
}

/** Lines for the end of postgresql.conf: nothing that the operator puts into a file comes after ours. */
export const includeLines = (): string[] => ["include_if_exists = 'conf.d/understudy.conf'"]

/**
 * The operator's `password_encryption` decides what kind of secret a role gets, also the application's when its password is changed.
 * `md5` is SCRAM for every role with a SCRAM secret: the server goes by the secret, so a client cannot choose the weaker one. See
 * https://www.postgresql.org/docs/current/auth-password.html.
 */
const EITHER_SECRET = 'md5'

/**
 * Lines for the beginning of pg_hba.conf: local handlers log in as their system user, our roles and the application's with a password.
 * They name roles, so that they hide no rule of the operator.
 */
export const hbaLines = (network: string, user: string): string[] => [
  'local all postgres peer',
  'local all understudy_monitor peer map=understudy',
  `host replication repmgr ${network} scram-sha-256`,
  `host all repmgr,understudy_monitor,${LOOKUP_ROLE} ${network} scram-sha-256`,
  `host all "${user}" ${network} ${EITHER_SECRET}`,
]

/** Lines for the end of pg_hba.conf: whoever the operator's rules do not mention comes in by the PgBouncer of any member. */
export const lastHbaLines = (network: string): string[] => [`host all all ${network} ${EITHER_SECRET}`]

/** Lines for pg_ident.conf: the system users that may log in as the monitoring role. */
export const identLines = (): string[] => [
  'understudy consul understudy_monitor',
  'understudy root understudy_monitor',
]

/** Lines that make a stopped data directory a standby of `conninfo`; the last line of postgresql.auto.conf wins. */
export function standbyLines(conninfo: string, slot: string): string {
  return `primary_conninfo = ${quote(conninfo)}\nprimary_slot_name = '${slot}'\nrecovery_target_timeline = 'latest'\n`
}

/** The replication slot of a member on the primary, named as repmgr names it. */
export const slotName = (repmgrId: number): string => `repmgr_slot_${repmgrId}`
