import definitions from '../../consul-config/pooler.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { run } from '../core/paths.ts'

export const poolerPaths = {
  /** Included by pgbouncer.ini; gone at boot on purpose, so that a booting PgBouncer knows no primary. */
  databases: `${run}/pgbouncer/databases.ini`,
  config: '/etc/pgbouncer/pgbouncer.ini',
  userlist: '/etc/pgbouncer/userlist.txt',
  hba: '/etc/pgbouncer/understudy_hba.conf',
} as const

export const poolerUnits = { pgbouncer: 'pgbouncer.service' } as const

/** PgBouncer on every machine, which sends its clients to the primary. */
export const pooler: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'pooler',
  title: 'PgBouncer',
  keys: {},
  keysAbout: [],
  paths: poolerPaths,
  filesAbout: [
    { path: poolerPaths.config, holds: 'settings of PgBouncer' },
    {
      path: poolerPaths.userlist,
      holds: 'the users whom it knows without asking PostgreSQL, with their secrets',
    },
    { path: poolerPaths.hba, holds: 'who may connect to it, and how' },
    { path: poolerPaths.databases, holds: 'where PgBouncer sends its clients' },
  ],
  ports: [{ port: '6432/tcp', what: 'PgBouncer', from: 'anywhere' }],
  handlers: [
    {
      name: 'pooler',
      user: 'consul',
      calledBy: '`check`; understudy-withdraw.service',
      does: 'points PgBouncer, or holds its clients back',
    },
  ],
  daemons: [poolerUnits.pgbouncer],
  package: {
    depends: [{ package: 'pgbouncer', program: '/usr/sbin/pgbouncer' }],
    dropIns: [
      { unit: poolerUnits.pgbouncer, file: 'restart.conf', as: 'understudy.conf' },
      { unit: poolerUnits.pgbouncer, file: 'pgbouncer.conf', as: 'understudy-limits.conf' },
    ],
    tmpfiles: [
      'd /run/understudy/pgbouncer 0755 consul consul',
      'f /run/understudy/pgbouncer/databases.ini 0644 consul consul - ;; no primary is known yet',
    ],
    polkit: [{ user: 'consul', verb: 'kill', units: [poolerUnits.pgbouncer] }],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))
