import { readBehind } from '../consul/behind.ts'
import { readable } from '../consul/check-documents.ts'
import type { Context } from '../consul/handler.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { repairedBy } from '../consul/repair.ts'
import { answering } from '../core/answering.ts'
import type { CheckLine } from '../core/component.ts'
import { queueUnit } from '../core/systemd.ts'
import { UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { isServerError, withDatabase } from '../postgresql/client.ts'
import { localDatabase, nobodyListens } from '../postgresql/database.ts'
import { hasLoginLookup } from '../postgresql/login-lookup.ts'
import { postgresqlUnits } from '../postgresql/manifest.ts'
import { CONSOLE_MS, localConsole } from './console.ts'
import { decideLogins, type LoginFacts } from './decide-logins.ts'
import { poolerUnits } from './manifest.ts'
import { pooler } from './reconciler.ts'

/** Any answer of the console will do. The kernel accepts connections also for a process that is stopped. */
const pgbouncer = answering<Context>(poolerUnits.pgbouncer, () =>
  withDatabase(localConsole, CONSOLE_MS, (console) => console.query('SHOW VERSION')).then(
    () => true,
    (error: unknown) => [error, (error as Error).cause].some(isServerError) || nobodyListens(error),
  ),
)

/** It answers in milliseconds, and if it does not, another line says so. */
const LOGINS_MS = 2000

/** A database that was made anew lacks what PgBouncer asks it for. The upkeep of the primary makes that again. */
const logins: CheckLine<Context, LoginFacts> = {
  name: 'logins',
  async observe({ settings: { node, database: own, postgresqlPort }, consul }) {
    const [leadership, behind] = await Promise.all([
      unknownOnFailure(readLeadership(consul)),
      unknownOnFailure(readBehind(consul, own)),
    ])
    const leads = leadership !== UNKNOWN && currentPrimary(leadership)?.node === node
    const names = leads && behind !== UNKNOWN ? behind.databases : []
    const asked = names.map(async (database) => {
      const target = localDatabase('understudy_monitor', postgresqlPort, database)
      return [database, await unknownOnFailure(withDatabase(target, LOGINS_MS, hasLoginLookup))] as const
    })
    return { found: new Map(await Promise.all(asked)) }
  },
  decide: decideLogins,
  async apply(plan) {
    if (plan.do === 'start') await queueUnit('start', postgresqlUnits.failover)
  },
}

/** This component's lines of the periodic check. */
export const lines = [
  repairedBy(pooler, 'lead-changed', {
    follow: 'PgBouncer does not lead every client to the primary yet',
    hold: 'PgBouncer does not hold its clients back yet',
  }),
  pgbouncer,
  logins,
  readable('pgbouncer', consulKeys.pooled),
]
