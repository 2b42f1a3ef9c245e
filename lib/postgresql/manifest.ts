import * as v from 'valibot'
import definitions from '../../consul-config/postgresql.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, type ConsulService, type ConsulSettings, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { etc, run } from '../core/paths.ts'

import { address, count, name, port } from '../core/schema.ts'

const postgresqlNode = v.object({ schema: v.literal(1), repmgrId: count, address, port })
export type PostgresqlNode = v.InferOutput<typeof postgresqlNode>

const sync = v.object({
  schema: v.literal(1),
  /** The primary that wrote it. It may always lead again itself: it has all that it acknowledged. */
  node: name,
  /** Standbys that may be promoted; none: nobody but the primary itself. */
  voters: v.array(name),
  /** How many of the voters, the candidate included, must have stopped their WAL receivers before one is promoted. */
  need: count,
  /** It was seen that commits wait for these voters: the primary may be written to even while its lock is free. */
  waits: v.optional(v.boolean()),
  /** Whom the primary hands over to: preferred among equally good voters. */
  prefer: v.optional(name),
})
export type Sync = v.InferOutput<typeof sync>

const confirmed = v.object({
  schema: v.literal(1),
  /** The primary that wrote it. */
  node: name,
  timeline: count,
  /** End of a record of the write-ahead log, as PostgreSQL prints a position. */
  lsn: v.pipe(v.string(), v.regex(/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/, 'not a position in the log')),
  /** How many standbys had it on disk: as many as commits wait for. 0: the primary alone had it. */
  standbys: count,
})
export type Confirmed = v.InferOutput<typeof confirmed>

export const postgresqlKeys = {
  nodes: key('postgresql/nodes/', postgresqlNode),
  node: (nodeName: string) => key(`postgresql/nodes/${nodeName}`, postgresqlNode),
  sync: key('postgresql/sync', sync),
  confirmed: key('postgresql/confirmed', confirmed),
} as const

export const postgresqlPaths = {
  /** libpq password files, each readable by the one user that needs it. */
  repmgrPassfile: `${etc}/repmgr.pgpass`,
  monitorPassfile: `${etc}/monitor.pgpass`,
  appPassfile: `${etc}/app.pgpass`,
  /** Held while a copy of the primary is being made. */
  cloneLock: `${run}/postgresql/clone`,
  /** Lies there while this machine's database is stopped because it was cut off. */
  fenced: `${run}/database/fenced`,
  /** Lies there once the start gate has compared this machine's data with what was confirmed. */
  compared: `${run}/database/compared`,
  /** When Consul last ran a check, in seconds since the boot: the watchdog reads it. */
  heartbeat: `${run}/check/heartbeat`,
  /** Lies there while the disk under the primary takes no writes. */
  diskHangs: `${run}/check/disk-hangs`,
  /** Since when the published primary has gone on without its lock. */
  unlocked: `${run}/database/unlocked.json`,
  /** Lies there while the upkeep of the primary has nothing left to do: for which epoch. */
  keptUp: `${run}/database/kept-up`,
  /** Whom `silent-primary` has asked, and when; gone when there was an answer. */
  askedPrimary: `${run}/check/asked-primary`,
  /** Which processes the last login of `database-check` has met, and when. */
  login: `${run}/check/login`,
  /** How starts as a standby have ended since the boot. */
  starts: `${run}/database/starts.json`,
  /** How far a running copy is. */
  copying: `${run}/database/copying`,
  /** How often and why a rejoin has failed. */
  rejoinFailed: `${run}/database/rejoin-failed.json`,
  /** When and why a stream under a member's name was last ended. */
  stranger: `${run}/database/stranger.json`,
  repmgrConfig: '/etc/repmgr.conf',
  /** Directory of the Unix sockets of PostgreSQL and PgBouncer on Debian. */
  sockets: '/var/run/postgresql',

  configDirectory: (version: number): string => `/etc/postgresql/${version}/main`,
  config: (version: number): string => `/etc/postgresql/${version}/main/conf.d/understudy.conf`,
  serverConfig: (version: number): string => `/etc/postgresql/${version}/main/postgresql.conf`,
  /** Whether Debian starts it at boot. */
  start: (version: number): string => `/etc/postgresql/${version}/main/start.conf`,
  hba: (version: number): string => `/etc/postgresql/${version}/main/pg_hba.conf`,
  ident: (version: number): string => `/etc/postgresql/${version}/main/pg_ident.conf`,
  data: (version: number): string => `/var/lib/postgresql/${version}/main`,
  /** A copy of the primary that is not complete yet. */
  incoming: (version: number): string => `/var/lib/postgresql/${version}/main.incoming`,
  /** Lies there from `understudy rejoin --clone` until a copy is in place. */
  unwantedMarker: (version: number): string => `/var/lib/postgresql/${version}/main.unwanted`,
  /** Lies there while pg_rewind changes the data directory. */
  rewindMarker: (version: number): string => `/var/lib/postgresql/${version}/main.rewinding`,
  /** Lies there from a promotion until it is published. */
  promotionMarker: (version: number): string => `/var/lib/postgresql/${version}/main.promoting`,
  /** Holds restore_command while an election has switched it off; empty if a configuration file sets it. */
  suspendedRestoreCommand: (version: number): string => `/var/lib/postgresql/${version}/main.restore_command`,
  /** Lies there while the data is older than what was confirmed, with the reason. */
  staleMarker: (version: number): string => `/var/lib/postgresql/${version}/main.stale`,
  /** What a copy replaced. */
  outgoing: (version: number): string => `/var/lib/postgresql/${version}/main.outgoing`,
  library: (version: number, name: string): string => `/usr/lib/postgresql/${version}/lib/${name}.so`,
  /** PostgreSQL's log, as Debian has it. */
  log: (version: number): string => `/var/log/postgresql/postgresql-${version}-main.log`,
  bin: (version: number, program: string): string => `/usr/lib/postgresql/${version}/bin/${program}`,
} as const

export const postgresqlUnits = {
  server: (version: number): string => `postgresql@${version}-main.service`,
  repmgrd: 'understudy-repmgrd.service',
  failover: 'understudy-failover.service',
  follow: 'understudy-follow.service',
  rejoin: 'understudy-rejoin.service',
  fence: 'understudy-fence.service',
  /** Starts the fence where Consul's agent, which starts everything else, runs no checks any more. */
  watchdog: 'understudy-watchdog.timer',
  /** What a fence starts: clients are held back and the virtual IP is given up. */
  withdraw: 'understudy-withdraw.service',
} as const

/** PostgreSQL with repmgr and repmgrd: replication, failover, durability. */
export const postgresql: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'postgresql',
  title: 'PostgreSQL',
  keys: postgresqlKeys,
  keysAbout: [
    { key: 'postgresql/nodes/NODE', holds: 'repmgr id, address, port', writtenBy: 'join' },
    {
      key: 'postgresql/sync',
      holds: 'the sync document: the voters, and how many of them an election needs',
      writtenBy: '`failover`',
    },
    {
      key: 'postgresql/confirmed',
      holds: 'how far commits are confirmed: timeline, position, number of standbys',
      writtenBy: '`failover`',
    },
  ],
  paths: postgresqlPaths,
  filesAbout: [
    { path: postgresqlPaths.repmgrPassfile, holds: 'passwords of repmgr and monitoring' },
    { path: postgresqlPaths.monitorPassfile, holds: 'password of monitoring' },
    { path: postgresqlPaths.appPassfile, holds: "password of the application's user" },
    { path: postgresqlPaths.repmgrConfig, holds: 'settings of repmgr and repmgrd' },
    { path: '/etc/postgresql/N/main/conf.d/understudy.conf', holds: 'settings of PostgreSQL' },
    {
      path: '`/etc/postgresql/N/main/postgresql.conf`',
      holds: "a block of ours after the operator's lines: what reads `conf.d/understudy.conf` last",
    },
    {
      path: '`/etc/postgresql/N/main/pg_hba.conf`, `pg_ident.conf`',
      holds: "a block of ours before the operator's lines; in `pg_hba.conf` also one after them",
    },
    { path: '/run/understudy/postgresql/', holds: 'lock of a running copy' },
    {
      path: postgresqlPaths.fenced,
      holds: 'exists while the database is stopped because the machine was cut off',
    },
    {
      path: postgresqlPaths.compared,
      holds: 'exists once the data was compared with what was confirmed, since the boot',
    },
    { path: postgresqlPaths.heartbeat, holds: 'when Consul last ran a check, in seconds since the boot' },
    { path: postgresqlPaths.diskHangs, holds: 'exists while the disk under the primary takes no writes' },
    {
      path: postgresqlPaths.keptUp,
      holds: 'for which epoch the upkeep has nothing left to do, and what `quick-check` records by',
    },
    {
      path: postgresqlPaths.askedPrimary,
      holds: 'whom `silent-primary` has asked without an answer, and when',
    },
    { path: postgresqlPaths.login, holds: 'which processes the last login of `database-check` has met' },
    { path: postgresqlPaths.unlocked, holds: 'since when the lock of the primary has been free' },
    { path: postgresqlPaths.rejoinFailed, holds: 'how often, since when and why rejoin has failed' },
    { path: postgresqlPaths.copying, holds: 'how far a running copy is; exists during a copy' },
    { path: postgresqlPaths.starts, holds: 'how many starts as a standby have failed, one after the other' },
    { path: postgresqlPaths.stranger, holds: "when and why a stream under a member's name was last ended" },
  ],
  ports: [{ port: '5432/tcp', what: 'PostgreSQL', from: "the members' network, by `pg_hba.conf`" }],
  handlers: [
    {
      name: 'failover',
      user: 'postgres',
      calledBy: 'understudy-failover.service; repmgrd',
      does: 'passes the promotion gate, and promotes',
    },
    {
      name: 'failover-validate',
      user: 'postgres',
      calledBy: 'repmgrd',
      does: 'passes the promotion gate, up to the lock',
    },
    {
      name: 'fence',
      user: 'postgres',
      calledBy: 'understudy-fence.service',
      does: 'stops a primary that is cut off',
    },
    {
      name: 'follow',
      user: 'postgres',
      calledBy: 'understudy-follow.service; repmgrd',
      does: 'points a standby at the primary',
    },
    {
      name: 'rejoin',
      user: 'postgres',
      calledBy: 'understudy-rejoin.service',
      does: 'makes a former primary a standby',
    },
    {
      name: 'start-gate',
      user: 'root',
      calledBy: 'postgresql@.service, before every start',
      does: 'lets only the primary start as one',
    },
    { name: 'repmgr-event', user: 'postgres', calledBy: 'repmgr', does: 'records an event in the history' },
    {
      name: 'leader-released',
      user: 'consul',
      calledBy: 'the watches on `postgresql/leader`',
      does: 'starts the failover unit if the lock is free',
    },
    {
      name: 'silent-primary',
      user: 'consul',
      calledBy: '`leader-released`',
      does: 'asks the published primary while the failover is still being started',
    },
    {
      name: 'database-changed',
      user: 'consul',
      calledBy: 'the watch on the service `postgresql`',
      does: 'starts the failover unit',
    },
    {
      name: 'database-check',
      user: 'consul',
      calledBy: 'the check `postgresql`, every 1.5 s',
      does: 'checks whether the database answers',
    },
    {
      name: 'watchdog',
      user: 'root',
      calledBy: 'understudy-watchdog.timer, every 10 s, and by systemd when Consul or PostgreSQL has stopped',
      does: "starts the fence where Consul's agent runs no checks, gives up the virtual IP where PostgreSQL does not run either, and ends an agent that hangs",
    },
  ],
  daemons: [postgresqlUnits.repmgrd, postgresqlUnits.watchdog],
  package: {
    depends: [
      { package: 'postgresql', program: '/usr/bin/pg_lsclusters' },
      { package: 'procps', program: '/usr/bin/pgrep' },
      { package: 'repmgr', program: '/usr/bin/repmgr' },
    ],
    units: [
      ...['understudy-failover.service', 'understudy-fence.service', 'understudy-follow.service'],
      ...['understudy-rejoin.service', 'understudy-repmgrd.service', 'understudy-withdraw.service'],
      ...['understudy-watchdog.service', postgresqlUnits.watchdog],
    ],
    restarts: [{ program: '/usr/lib/postgresql', unit: postgresqlUnits.repmgrd }],
    dropIns: [{ unit: 'postgresql@.service', file: 'postgresql@.service.conf', as: 'understudy.conf' }],
    scripts: [
      'database-changed.sh',
      'database-check.pl',
      'leader-released.sh',
      'silent-primary.pl',
      'watchdog.sh',
    ],
    tmpfiles: [
      'd /run/understudy/postgresql 0750 postgres postgres',
      'd /run/understudy/database 0755 postgres postgres',
      'f /run/understudy/check/heartbeat 0644 consul consul',
    ],
    polkit: [
      {
        user: 'consul',
        verb: 'start',
        units: [
          ...[
            postgresqlUnits.failover,
            postgresqlUnits.fence,
            postgresqlUnits.follow,
            postgresqlUnits.rejoin,
          ],
        ],
      },
      ...['start', 'stop', 'restart', 'reload', 'kill'].map((verb) => ({
        user: 'postgres',
        verb,
        units: ['postgresql@*-main.service'],
      })),
      {
        user: 'postgres',
        verb: 'start',
        units: [postgresqlUnits.fence, postgresqlUnits.rejoin, postgresqlUnits.withdraw],
      },
      { user: 'postgres', verb: 'restart', units: [postgresqlUnits.repmgrd] },
      { user: 'consul', verb: 'kill', units: [postgresqlUnits.repmgrd] },
    ],
  },
  consul(settings) {
    const { services, watches } = definitionsOf(definitions, settings)
    return { services: services.map((service) => whereItLies(service, settings)), watches }
  },
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))

/** The database's service where its database listens and lies. */
function whereItLies(
  service: ConsulService,
  { postgresqlPort: port, postgresqlVersion: version }: ConsulSettings,
): ConsulService {
  const where = [postgresqlUnits.server(version), postgresqlPaths.data(version), `--port=${port}`]
  const checks = service.checks.map((check) =>
    'args' in check && Array.isArray(check.args) ? { ...check, args: [...check.args, ...where] } : check,
  )
  return { ...service, port, checks }
}
