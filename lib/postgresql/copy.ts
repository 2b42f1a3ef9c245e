import type { Primary } from '../consul/manifest.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { unit } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { type Target, withDatabase } from './client.ts'
import { cloneStandby } from './clone.ts'
import { slotName } from './config.ts'
import { inspectData, makeStandby } from './data-directory.ts'
import { remoteDatabase } from './database.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { readCopySource, SIZES_MS, whyNotCopy } from './observe-room.ts'
import { systemIdentifier } from './server.ts'
import { renewSlot } from './slots.ts'

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

export interface CopyOptions {
  /** The postgres system user. */
  as: SystemUser
  /** See {@link cloneStandby}. */
  rate: string | null
  /** Its own handlers see that it follows the primary. */
  isMember: boolean
  onProgress: (text: string) => void
}

/** Clones the primary. Where this machine has a copy of it already, that becomes a standby as a member has it. */
export async function copyPrimary(
  settings: Settings,
  primary: Primary,
  { as, rate, isMember, onProgress }: CopyOptions,
): Promise<void> {
  const version = settings.postgresqlVersion
  process.env['PGPASSFILE'] = postgresqlPaths.monitorPassfile
  const target = remoteDatabase(primary.address, primary.port)
  const stop = (): Promise<void> => unit('stop', postgresqlUnits.server(version), STOP_MS)
  if (!(await hasCopy(settings.node, version, primary, target)))
    return cloneStandby(settings, primary, { as, rate, keep: false, stop, onProgress })
  if (isMember || primary.node === settings.node) return
  // It may be an operator's own standby, whose stream would not be counted.
  await stop()
  const upstream = { host: primary.address, port: primary.port }
  process.env['PGPASSFILE'] = postgresqlPaths.repmgrPassfile
  await withDatabase({ ...upstream, user: 'repmgr', database: 'repmgr' }, PRIMARY_MS, (connection) =>
    renewSlot(connection, slotName(settings.repmgrId)),
  )
  makeStandby(postgresqlPaths.data(version), settings, upstream)
}
