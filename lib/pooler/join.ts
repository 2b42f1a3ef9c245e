import { createHash } from 'node:crypto'
import { readBehind } from '../consul/behind.ts'
import { howToApply } from '../consul/how-to-apply.ts'
import { clusterOf, type Joining, type Part, settingsOf } from '../consul/joining.ts'
import { answersAt } from '../consul/probe.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { run } from '../core/exec.ts'
import { checkPorts } from '../core/ports.ts'
import { checkReplaced } from '../core/replaced-files.ts'
import { ensureRunning } from '../core/systemd.ts'
import { systemUser } from '../core/users.ts'
import { type Connection, type Target, withDatabase } from '../postgresql/client.ts'
import { LOOKUP_ROLE } from '../postgresql/config.ts'
import { keepLoginLookup, lookupPassword } from '../postgresql/login-lookup.ts'
import { scramSecret } from '../postgresql/scram.ts'
import { changePooled, withDatabases } from './change.ts'
import {
  isOurUserlist,
  PGBOUNCER_PORT,
  renderDatabases,
  renderPgbouncer,
  renderPgbouncerHba,
  renderUserlist,
  tracksMore,
} from './config.ts'
import { poolerPaths, poolerUnits } from './manifest.ts'

const setUp = { phase: 'daemons', title: 'set up PgBouncer', run: setUpPgbouncer } as const

/** PgBouncer's part of a join. */
export const part: Part = {
  async look({ machine }) {
    checkPorts(poolerUnits.pgbouncer, [{ port: PGBOUNCER_PORT, address: null }])
    // A member has agreed to that before.
    if (machine.settings !== null) return
    await checkReplaced('pgbouncer', [
      { path: poolerPaths.config },
      { path: poolerPaths.userlist, isOurs: isOurUserlist },
    ])
  },
  steps: [setUp],
  upgrade: [setUp],
  checks: ['pgbouncer'],
  firstRuns: { pgbouncer: tryToConnect },
  leave: [],
}

/** As Consul's check does it. */
async function tryToConnect(): Promise<string> {
  if (await answersAt('127.0.0.1', PGBOUNCER_PORT)) return `port ${PGBOUNCER_PORT} accepts connections`
  throw new UnderstudyError(EXIT.unavailable, `nothing accepts connections on port ${PGBOUNCER_PORT}`)
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
    const behind = await readBehind(joining.consul, config.database)
    replaceFile(poolerPaths.databases, renderDatabases(behind, null), await systemUser('consul'))
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
  const version = await run('/usr/sbin/pgbouncer', ['--version'])
  replaceFile(poolerPaths.config, renderPgbouncer(tracksMore(version)), owner)
  const files = [poolerPaths.hba, poolerPaths.userlist, poolerPaths.config]
  await ensureRunning(poolerUnits.pgbouncer, files, await howToApply(joining))
}

/** On the primary: the databases of the first join, and what PgBouncer asks all of them. */
async function letPgbouncerAsk(joining: Joining): Promise<void> {
  const { options, consul } = joining
  const { config, credentials, primary } = clusterOf(joining)
  const { address, postgresqlPort } = settingsOf(joining)
  const target = (database: string): Target => ({
    host: primary?.address ?? address,
    port: primary?.port ?? postgresqlPort,
    user: 'repmgr',
    password: credentials.repmgr,
    database,
  })
  if (options.as === 'first' && options.moreDatabases.length > 0) {
    const { moreDatabases } = options
    await withDatabase(target('repmgr'), LOGINS_MS, async (own) => {
      for (const name of moreDatabases) await createDatabase(own, name, config.user)
    })
    await changePooled(consul, (pooled) => withDatabases(pooled, moreDatabases))
  }
  const password = lookupPassword(credentials.repmgr)
  for (const database of (await readBehind(consul, config.database)).databases)
    await withDatabase(target(database), LOGINS_MS, (own) => keepLoginLookup(own, password))
}

async function createDatabase(own: Connection, name: string, owner: string): Promise<void> {
  const [row] = await own.query<{ sql: string }>(
    `select format('create database %I owner %I', $1::text, $2::text) as sql
     where not exists (select from pg_database where datname = $1)`,
    [name, owner],
  )
  if (row) await own.query(row.sql)
}
