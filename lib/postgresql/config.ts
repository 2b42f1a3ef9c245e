/** conf.d/understudy.conf: what streaming replication, repmgr and pg_rewind need. */
export function renderPostgresql(port: number): string {
  return `# Written by understudy. The next join overwrites local changes.
listen_addresses = '*'
port = ${port}
shared_preload_libraries = 'repmgr'
password_encryption = 'scram-sha-256'

# 50 connections of the PgBouncer on each of five machines, and some to spare.
max_connections = 300

# What a commit is acknowledged for: see docs/adr/0030-proof-that-commits-wait.md. Whatever undoes it is reported.
synchronous_commit = on
fsync = on
full_page_writes = on

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
tcp_user_timeout = 3000
`
}

const BEGIN = '# BEGIN understudy'
const END = '# END understudy'

/** Puts the lines of understudy at the beginning of a file of the operator, or replaces those from an earlier join. */
export function withManagedBlock(text: string, lines: readonly string[]): string {
  const start = text.indexOf(BEGIN)
  const end = text.indexOf(END, start)
  const rest =
    start >= 0 && end > start ? text.slice(0, start) + text.slice(end + END.length).replace(/^\n/, '') : text
  return `${BEGIN}\n${lines.join('\n')}\n${END}\n${rest}`
}

/** Lines for pg_hba.conf: members and their clients log in with a password, local handlers as their system user. */
export function hbaLines(network: string): string[] {
  return [
    'local all understudy_monitor peer map=understudy',
    `host replication repmgr ${network} scram-sha-256`,
    `host all all ${network} scram-sha-256`,
  ]
}

/** Lines for pg_ident.conf: the system users that may log in as the monitoring role. */
export const identLines = (): string[] => [
  'understudy consul understudy_monitor',
  'understudy root understudy_monitor',
]

/** Lines that make a stopped data directory a standby of `conninfo`; the last line of postgresql.auto.conf wins. */
export function standbyLines(conninfo: string, slot: string): string {
  return `primary_conninfo = '${conninfo.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\nprimary_slot_name = '${slot}'\nrecovery_target_timeline = 'latest'\n`
}

/** The replication slot of a member on the primary, named as repmgr names it. */
export const slotName = (repmgrId: number): string => `repmgr_slot_${repmgrId}`
