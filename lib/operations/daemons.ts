import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config, Credentials } from '../consul/manifest.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { paths } from '../core/paths.ts'
import type { Settings } from '../core/settings.ts'
import { ensureRunning } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { renderDatabases, renderPgbouncer, renderPgbouncerHba, renderUserlist } from '../pooler/config.ts'
import { poolerPaths, poolerUnits } from '../pooler/manifest.ts'
import { renderPassfile } from '../postgresql/config-conninfo.ts'
import { renderRepmgr } from '../postgresql/config-repmgr.ts'
import { postgresqlPaths, postgresqlUnits } from '../postgresql/manifest.ts'
import { scramSecret } from '../postgresql/scram.ts'
import { renderKeepalived } from '../virtual-ip/config.ts'
import { virtualIpPaths, virtualIpUnits } from '../virtual-ip/manifest.ts'

/** Password files and credentials, each for the one user that needs it. */
export function writeSecrets(config: Config, credentials: Credentials, postgres: SystemUser): void {
  mkdirSync(dirname(paths.node), { recursive: true })
  const monitor = renderPassfile('understudy_monitor', credentials.monitor)
  replaceFile(postgresqlPaths.repmgrPassfile, renderPassfile('repmgr', credentials.repmgr) + monitor, {
    mode: 0o600,
    ...postgres,
  })
  replaceFile(postgresqlPaths.monitorPassfile, monitor, { mode: 0o600 })
  replaceFile(postgresqlPaths.appPassfile, renderPassfile(config.user, credentials.app), { mode: 0o600 })
}

export const writeSettings = (settings: Settings): boolean =>
  replaceFile(paths.node, `${JSON.stringify(settings, null, 2)}\n`)

export function writeRepmgrConfig(settings: Settings): void {
  const { postgresqlPort: port, vipPriority: priority } = settings
  replaceFile(postgresqlPaths.repmgrConfig, renderRepmgr({ ...settings, port, priority }))
}

export async function setUpPgbouncer(
  config: Config,
  credentials: Credentials,
  postgres: SystemUser,
  consul: SystemUser,
): Promise<void> {
  const owner = { ...postgres, mode: 0o640 }
  if (!readText(poolerPaths.databases)?.includes('[databases]')) {
    replaceFile(poolerPaths.databases, renderDatabases(config.database, null), consul)
  }
  replaceFile(poolerPaths.hba, renderPgbouncerHba(), owner)
  replaceFile(
    poolerPaths.userlist,
    renderUserlist({
      [config.user]: scramSecret(config.user, credentials.app),
      understudy_monitor: scramSecret('understudy_monitor', credentials.monitor),
      // Logs in as the system user of that name and needs an entry, but no password that anybody knows.
      consul: createHash('sha256').update(`consul:${credentials.monitor}`).digest('base64url'),
    }),
    owner,
  )
  replaceFile(poolerPaths.config, renderPgbouncer(), owner)
  await ensureRunning(poolerUnits.pgbouncer, [poolerPaths.hba, poolerPaths.userlist, poolerPaths.config])
}

export async function setUpKeepalived(config: Config, settings: Settings): Promise<void> {
  const { node, vipPriority: priority } = settings
  const { virtualIp, routerId } = config
  replaceFile(
    virtualIpPaths.config,
    renderKeepalived({ node, interface: settings.interface, virtualIp, routerId, priority }),
  )
  await ensureRunning(virtualIpUnits.keepalived, [virtualIpPaths.config])
}

export const setUpRepmgrd = (): Promise<void> =>
  ensureRunning(postgresqlUnits.repmgrd, [postgresqlPaths.repmgrConfig])
