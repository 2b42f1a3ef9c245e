import { appendFileSync } from 'node:fs'
import { syncToDisk } from '../core/atomic-files.ts'
import type { Connection } from './client.ts'
import { readConfigured, readControlData } from './control-data.ts'
import {
  type HotStandbySettings,
  hotStandbyNames,
  parseHotStandby,
  type Shortage,
  shortagesOf,
} from './decide-hot-standby.ts'
import { postgresqlPaths } from './manifest.ts'

/** What a running standby has too little of for what it is to replay. As the system user postgres. */
export async function readShortages(connection: Connection, version: number): Promise<Shortage[]> {
  return shortagesOf(await readHotStandby(connection), parseHotStandby(await readControlData(version)))
}

/** The settings of a running server. */
export async function readHotStandby(connection: Connection): Promise<HotStandbySettings> {
  const rows = await connection.query<{ name: (typeof hotStandbyNames)[number]; value: number }>(
    'select name, setting::int as value from pg_settings where name = any($1)',
    [hotStandbyNames],
  )
  return new Map(rows.map(({ name, value }) => [name, value]))
}

/** Gives a stopped standby at least what its primary had, or it would not start. The last line of postgresql.auto.conf wins. */
export async function raiseForHotStandby(version: number): Promise<Shortage[]> {
  const needed = parseHotStandby(await readControlData(version))
  const values = await Promise.all(
    hotStandbyNames.map(async (name) => [name, Number(await readConfigured(version, name))] as const),
  )
  const shortages = shortagesOf(new Map(values), needed)
  if (shortages.length === 0) return shortages
  const file = `${postgresqlPaths.data(version)}/postgresql.auto.conf`
  appendFileSync(file, shortages.map((one) => `${one.name} = '${one.needed}'\n`).join(''))
  syncToDisk(file)
  return shortages
}
