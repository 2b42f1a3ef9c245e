import { replaceFile } from '../core/atomic-files.ts'
import { run } from '../core/exec.ts'
import type { Settings } from '../core/settings.ts'
import { ensureRunning } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { renderRepmgr } from './config-repmgr.ts'
import { SESSION_OPTIONS } from './config-session.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'

/** repmgr connects to the primary and writes one row; for half of this time it waits until a standby has received it. */
const REGISTER_MS = 30_000

/** Writes repmgr's settings of this member. */
export function configureRepmgr(settings: Settings): void {
  const { postgresqlPort: port, vipPriority: priority } = settings
  replaceFile(postgresqlPaths.repmgrConfig, renderRepmgr({ ...settings, port, priority }))
}

/** Makes repmgrd run with these settings, and the watchdog. */
export async function startRepmgrd(): Promise<void> {
  await ensureRunning(postgresqlUnits.repmgrd, [postgresqlPaths.repmgrConfig])
  await ensureRunning(postgresqlUnits.watchdog, [])
}

/** Writes the first machine into repmgr's metadata (and creates its extension). */
export async function registerPrimary(as: SystemUser): Promise<void> {
  await repmgr(['primary', 'register', '--force'], as)
}

/** Writes a standby into repmgr's metadata, or renews its entry. */
export async function registerStandby(as: SystemUser): Promise<void> {
  await repmgr(['standby', 'register', '--force', `--wait-sync=${REGISTER_MS / 2000}`], as)
}

const repmgr = (args: readonly string[], as: SystemUser): Promise<string> =>
  run('repmgr', ['-f', postgresqlPaths.repmgrConfig, ...args], {
    ...as,
    timeoutMs: REGISTER_MS,
    env: { PGPASSFILE: postgresqlPaths.repmgrPassfile, PGOPTIONS: SESSION_OPTIONS },
  })
