import type { Primary } from '../consul/manifest.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { unit } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { type Target, withDatabase } from './client.ts'
import { cloneStandby } from './clone.ts'
import { inspectData } from './data-directory.ts'
import { remoteDatabase } from './database.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { readCopySource, SIZES_MS, whyNotCopy } from './observe-room.ts'
import { systemIdentifier } from './server.ts'

/** A primary that works answers this in milliseconds. */
const PRIMARY_MS = 5000
/** A shutdown checkpoint of an empty database, on a slow disk. */
const STOP_MS = 120_000

/** Has this machine a copy of that primary already? It joined earlier, and may have been promoted since. */
async function hasCopy(node: string, version: number, primary: Primary, target: Target): Promise<boolean> {
  if (primary.node === node) return true
  const { data, standbySignal } = inspectData(version, { role: 'down' })
  if (data !== 'intact' || !standbySignal) return false
  const [row] = await withDatabase(target, PRIMARY_MS, (connection) =>
    connection.query<{ id: string }>('select system_identifier::text as id from pg_control_system()'),
  )
  return (await systemIdentifier(version)) === row?.id
}

/**
 * Looks whether the primary can be copied to this machine, before anything is changed.
 * @throws one sentence where a directory of a tablespace, or room, is missing.
 */
export async function lookAtCopy(
  node: string,
  version: number,
  primary: Primary,
  password: string,
): Promise<void> {
  const target = remoteDatabase(primary.address, primary.port, password)
  if (await hasCopy(node, version, primary, target)) return
  const source = await withDatabase(target, SIZES_MS, (connection) =>
    readCopySource(connection, primary.node),
  )
  const refusal = await whyNotCopy(version, source)
  if (refusal !== null) throw new UnderstudyError(EXIT.config, refusal.why)
}

/** Clones the primary, unless this machine has a copy of it already. @param rate see {@link cloneStandby}. */
export async function copyPrimary(
  settings: Settings,
  primary: Primary,
  postgres: SystemUser,
  rate: string | null,
  onProgress: (text: string) => void,
): Promise<void> {
  const version = settings.postgresqlVersion
  process.env['PGPASSFILE'] = postgresqlPaths.monitorPassfile
  const target = remoteDatabase(primary.address, primary.port)
  if (await hasCopy(settings.node, version, primary, target)) return
  const stop = (): Promise<void> => unit('stop', postgresqlUnits.server(version), STOP_MS)
  await cloneStandby(settings, primary, { as: postgres, rate, keep: false, stop, onProgress })
}
