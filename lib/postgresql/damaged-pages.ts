import type { Context } from '../consul/handler.ts'
import type { CheckLine } from '../core/component.ts'
import { unknownOnFailure } from '../core/unknown.ts'
import { type Connection, withDatabase } from './client.ts'
import { localDatabase } from './database.ts'
import { type DamagedPages, decideDamagedPagesCheck } from './decide-damaged-pages.ts'

/** It answers in milliseconds, and if it does not, another line says so. */
const ASK_MS = 2000

export async function readDamagedPages(connection: Connection): Promise<DamagedPages> {
  const [found] = await connection.query<DamagedPages & Record<string, unknown>>(
    `select coalesce(sum(checksum_failures), 0)::int as failures,
       to_char(max(checksum_last_failure) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last,
       case when pg_is_in_recovery() then 'standby' else 'primary' end as role
     from pg_stat_database`,
  )
  if (found === undefined) throw new Error('an aggregate without a row')
  return found
}

/** Says that readers have met damaged pages: a server with such pages runs, and nobody else notices. */
export const damagedPages: CheckLine<Context, Parameters<typeof decideDamagedPagesCheck>[0]> = {
  name: 'pages',
  async observe({ settings: { postgresqlPort } }) {
    const database = localDatabase('understudy_monitor', postgresqlPort)
    return { pages: await unknownOnFailure(withDatabase(database, ASK_MS, readDamagedPages)) }
  },
  decide: decideDamagedPagesCheck,
  apply: async () => {},
}
