import { mkdirSync } from 'node:fs'
import type { Config, Credentials } from '../consul/manifest.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { etc } from '../core/paths.ts'
import type { SystemUser } from '../core/users.ts'
import { renderPassfile } from './config-conninfo.ts'
import { postgresqlPaths } from './manifest.ts'

/** Password files, each for the one user that needs it. */
export function writeSecrets(config: Config, credentials: Credentials, postgres: SystemUser): void {
  mkdirSync(etc, { recursive: true })
  const monitor = renderPassfile('understudy_monitor', credentials.monitor)
  replaceFile(postgresqlPaths.repmgrPassfile, renderPassfile('repmgr', credentials.repmgr) + monitor, {
    mode: 0o600,
    ...postgres,
  })
  replaceFile(postgresqlPaths.monitorPassfile, monitor, { mode: 0o600 })
  replaceFile(postgresqlPaths.appPassfile, renderPassfile(config.user, credentials.app), { mode: 0o600 })
}
