import { rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readText, syncToDisk } from '../core/atomic-files.ts'
import type { Settings } from '../core/settings.ts'
import { type Connection, sqlLiteral, withDatabase } from './client.ts'
import { localDatabase } from './database.ts'
import { postgresqlPaths } from './manifest.ts'
import { setAndReload } from './setting.ts'

/** Two small statements. */
const DATABASE_MS = 3000
/** Where a setting came from if ALTER SYSTEM made it. */
const BY_ALTER_SYSTEM = 'postgresql.auto.conf'

/**
 * Switches restore_command off for an election: PostgreSQL runs it before it heeds a promotion, and an archive that does not answer
 * would hold it up. {@link resumeRestoreCommand} brings it back.
 */
export async function suspendRestoreCommand(own: Connection, version: number): Promise<void> {
  const [row] = await own.query<{ setting: string; sourcefile: string | null }>(
    `select setting, sourcefile from pg_settings where name = 'restore_command'`,
  )
  if (!row || row.setting === '') return
  const path = postgresqlPaths.suspendedRestoreCommand(version)
  writeFileSync(path, row.sourcefile?.endsWith(BY_ALTER_SYSTEM) ? row.setting : '', { mode: 0o600 })
  syncToDisk(path)
  syncToDisk(dirname(path))
  await setAndReload(own, { restore_command: '' })
}

/** Brings restore_command back to what it was, if an election has switched it off. */
export async function resumeRestoreCommand({ postgresqlVersion, postgresqlPort }: Settings): Promise<void> {
  const path = postgresqlPaths.suspendedRestoreCommand(postgresqlVersion)
  const command = readText(path)
  if (command === null) return
  await withDatabase(localDatabase('postgres', postgresqlPort), DATABASE_MS, async (own) => {
    if (command === '') await own.query('alter system reset restore_command')
    else await own.query(`alter system set restore_command = ${sqlLiteral(command)}`)
    await own.query('select pg_reload_conf()')
  })
  rmSync(path, { force: true })
}
