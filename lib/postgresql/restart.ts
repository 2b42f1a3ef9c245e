import type { Context } from '../consul/handler.ts'
import type { CheckLine } from '../core/component.ts'
import { UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { type Connection, withDatabase } from './client.ts'
import { localDatabase } from './database.ts'
import { decideRestartCheck, type RestartFacts } from './decide-restart.ts'
import { postgresqlUnits } from './manifest.ts'

/** It answers in milliseconds, and if it does not, another line says so. */
const PENDING_MS = 2000

/** The settings that wait for a restart, and whether this is the primary. */
export async function readPending(connection: Connection): Promise<Pick<RestartFacts, 'pending' | 'role'>> {
  const rows = await connection.query<{ name: string | null; standby: boolean }>(
    `select name, pg_is_in_recovery() as standby from (select) as one
       left join pg_settings on pending_restart order by name`,
  )
  return {
    pending: rows.flatMap(({ name }) => name ?? []),
    role: rows[0]?.standby ? 'standby' : 'primary',
  }
}

/** Says which settings wait for a restart of PostgreSQL, as after an upgrade of the package that changes them. */
export const restart: CheckLine<Context, RestartFacts> = {
  name: 'restart',
  async observe({ settings: { postgresqlPort, postgresqlVersion } }) {
    const database = localDatabase('understudy_monitor', postgresqlPort)
    const found = await unknownOnFailure(withDatabase(database, PENDING_MS, readPending))
    const unit = postgresqlUnits.server(postgresqlVersion)
    return found === UNKNOWN ? { pending: UNKNOWN, role: UNKNOWN, unit } : { ...found, unit }
  },
  decide: decideRestartCheck,
  apply: async () => {},
}
