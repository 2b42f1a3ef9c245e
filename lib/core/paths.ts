/** Every path the product reads or writes. Nowhere else is a path spelled out. */

const lib = '/usr/lib/understudy'
const run = '/run/understudy'
const etc = '/etc/understudy'

export const paths = {
  handler: (name: string): string => `${lib}/handlers/${name}`,

  /** Facts about this machine as a member (no secrets, world-readable). */
  node: `${etc}/node.json`,
  /** libpq password files, each readable by the one user that needs it. */
  repmgrPassfile: `${etc}/repmgr.pgpass`,
  monitorPassfile: `${etc}/monitor.pgpass`,
  appPassfile: `${etc}/app.pgpass`,
  /** The key to Syncthing's API, for those who may have it. */
  syncthingKey: `${etc}/syncthing.key`,

  /** Locks of handlers and everything else that must not outlive a boot. */
  run,
  lock: (name: string): string => `${run}/lock/${name}`,
  /** Held while a copy of the primary is being made. */
  cloneLock: `${run}/postgresql/clone`,
  /** Included by pgbouncer.ini; gone at boot on purpose, so that a booting PgBouncer knows no primary. */
  pgbouncerDatabases: `${run}/pgbouncer/databases.ini`,
  /** Lies there while this machine's database is stopped because it was cut off. */
  fenced: `${run}/database/fenced`,
  /** How often and why a rejoin has failed. */
  rejoinFailed: `${run}/database/rejoin-failed.json`,
  /** What the last look at the replicated folders found. */
  filesReport: `${run}/files/report.json`,
  filesLock: `${run}/files/lock`,
  /** Which machines the check has found without a connection, and since when. */
  filesAway: `${run}/check/files-away.json`,
  /** keepalived's track_file; gone at boot on purpose. */
  vipWeight: `${run}/keepalived/weight`,

  consulConfig: '/etc/consul.d/understudy.json',
  consulBootstrap: '/etc/consul.d/understudy-bootstrap.json',
  consulServices: '/etc/consul.d/understudy-services.json',
  consulData: '/var/lib/consul',

  /** Syncthing's keys, configuration and database. */
  syncthingHome: '/var/lib/understudy/syncthing',
  syncthingConfig: '/var/lib/understudy/syncthing/config.xml',
  syncthingCertificate: '/var/lib/understudy/syncthing/cert.pem',

  keepalivedConfig: '/etc/keepalived/keepalived.conf',
  repmgrConfig: '/etc/repmgr.conf',
  pgbouncerConfig: '/etc/pgbouncer/pgbouncer.ini',
  pgbouncerUserlist: '/etc/pgbouncer/userlist.txt',
  pgbouncerHba: '/etc/pgbouncer/understudy_hba.conf',
  /** Directory of the Unix sockets of PostgreSQL and PgBouncer on Debian. */
  sockets: '/var/run/postgresql',

  postgresqlConfigDirectory: (version: number): string => `/etc/postgresql/${version}/main`,
  postgresqlConfig: (version: number): string => `/etc/postgresql/${version}/main/conf.d/understudy.conf`,
  postgresqlHba: (version: number): string => `/etc/postgresql/${version}/main/pg_hba.conf`,
  postgresqlIdent: (version: number): string => `/etc/postgresql/${version}/main/pg_ident.conf`,
  postgresqlData: (version: number): string => `/var/lib/postgresql/${version}/main`,
  /** A copy of the primary that is not complete yet. */
  postgresqlIncoming: (version: number): string => `/var/lib/postgresql/${version}/main.incoming`,
  /** Lies there while pg_rewind changes the data directory. */
  rewindMarker: (version: number): string => `/var/lib/postgresql/${version}/main.rewinding`,
  /** Lies there from a promotion until it is published. */
  promotionMarker: (version: number): string => `/var/lib/postgresql/${version}/main.promoting`,
  /** Configuration of repmgr for the time of a copy. */
  cloneConfig: (version: number): string => `/var/lib/postgresql/${version}/main.incoming.repmgr.conf`,
  /** What the copy replaced; removed once the new directory is in place. */
  postgresqlOutgoing: (version: number): string => `/var/lib/postgresql/${version}/main.outgoing`,
  postgresqlBin: (version: number, program: string): string =>
    `/usr/lib/postgresql/${version}/bin/${program}`,
} as const

/** systemd units, ours and theirs. */
export const units = {
  postgresql: (version: number): string => `postgresql@${version}-main.service`,
  repmgrd: 'understudy-repmgrd.service',
  failover: 'understudy-failover.service',
  follow: 'understudy-follow.service',
  rejoin: 'understudy-rejoin.service',
  fence: 'understudy-fence.service',
  withdraw: 'understudy-withdraw.service',
  syncthing: 'understudy-syncthing.service',
  files: 'understudy-files.service',
  consul: 'consul.service',
  pgbouncer: 'pgbouncer.service',
  keepalived: 'keepalived.service',
} as const
