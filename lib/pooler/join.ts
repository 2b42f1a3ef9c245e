import { createHash } from 'node:crypto'
import { howToApply } from '../consul/how-to-apply.ts'
import { clusterOf, type Joining, type Part, settingsOf } from '../consul/joining.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { ensureRunning } from '../core/systemd.ts'
import { systemUser } from '../core/users.ts'
import { withDatabase } from '../postgresql/client.ts'
import { keepLoginLookup, LOOKUP_ROLE, lookupPassword } from '../postgresql/login-lookup.ts'
import { scramSecret } from '../postgresql/scram.ts'
import { renderDatabases, renderPgbouncer, renderPgbouncerHba, renderUserlist } from './config.ts'
import { poolerPaths, poolerUnits } from './manifest.ts'

const setUp = { phase: 'daemons', title: 'set up PgBouncer', run: setUpPgbouncer } as const

/** PgBouncer's part of a join. */
export const part: Part = {
  steps: [setUp],
  upgrade: [setUp],
  checks: ['pgbouncer'],
  leave: [],
}

/** A few small statements on the primary, which may wait for a standby. */
const LOGINS_MS = 10_000

async function setUpPgbouncer(joining: Joining): Promise<void> {
  const { config, credentials } = clusterOf(joining)
  // Before PgBouncer relies on it: the primary may have been set up by an earlier build.
  await letPgbouncerAsk(joining)
  const owner = { ...(await systemUser('postgres')), mode: 0o640 }
  // Its handler has the last word: a file that names the primary stays as it is.
  if (!readText(poolerPaths.databases)?.includes('[databases]')) {
    replaceFile(poolerPaths.databases, renderDatabases(config.database, null), await systemUser('consul'))
  }
  replaceFile(poolerPaths.hba, renderPgbouncerHba(), owner)
  replaceFile(
    poolerPaths.userlist,
    renderUserlist({
      // In clear text: PgBouncer has no client whose login it could pass on.
      [LOOKUP_ROLE]: lookupPassword(credentials.repmgr),
      understudy_monitor: scramSecret('understudy_monitor', credentials.monitor),
      // Logs in as the system user of that name and needs an entry, but no password that anybody knows.
      consul: createHash('sha256').update(`consul:${credentials.monitor}`).digest('base64url'),
    }),
    { ...owner, mode: 0o600 },
  )
  replaceFile(poolerPaths.config, renderPgbouncer(), owner)
  const files = [poolerPaths.hba, poolerPaths.userlist, poolerPaths.config]
  await ensureRunning(poolerUnits.pgbouncer, files, await howToApply(joining))
}

async function letPgbouncerAsk(joining: Joining): Promise<void> {
  const { config, credentials, primary } = clusterOf(joining)
  const { address, postgresqlPort } = settingsOf(joining)
  const target = {
    host: primary?.address ?? address,
    port: primary?.port ?? postgresqlPort,
    user: 'repmgr',
    password: credentials.repmgr,
    database: config.database,
  }
  await withDatabase(target, LOGINS_MS, (own) => keepLoginLookup(own, lookupPassword(credentials.repmgr)))
}
