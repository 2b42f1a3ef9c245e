import type { Primary } from '../consul/manifest.ts'
import type { Settings } from '../core/settings.ts'
import { unit } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { withDatabase } from './client.ts'
import { cloneStandby } from './clone.ts'
import { inspectData } from './data-directory.ts'
import { remoteDatabase } from './database.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { systemIdentifier } from './server.ts'

/** A primary that works answers this in milliseconds. */
const PRIMARY_MS = 5000
/** A shutdown checkpoint of an empty database, on a slow disk. */
const STOP_MS = 120_000

/** Clones the primary, unless this machine has a copy of it already. */
export async function copyPrimary(settings: Settings, primary: Primary, postgres: SystemUser): Promise<void> {
  // This machine joined earlier and has been promoted since.
  if (primary.node === settings.node) return
  const version = settings.postgresqlVersion
  process.env['PGPASSFILE'] = postgresqlPaths.monitorPassfile
  const [row] = await withDatabase(remoteDatabase(primary.address, primary.port), PRIMARY_MS, (connection) =>
    connection.query<{ id: string }>('select system_identifier::text as id from pg_control_system()'),
  )
  const { data, standbySignal } = inspectData(version, { role: 'down' })
  if (data === 'intact' && standbySignal && (await systemIdentifier(version)) === row?.id) return
  const member = { ...settings, port: settings.postgresqlPort, priority: settings.vipPriority }
  const stop = (): Promise<void> => unit('stop', postgresqlUnits.server(version), STOP_MS)
  await cloneStandby(member, { host: primary.address, port: primary.port }, stop, postgres)
}
