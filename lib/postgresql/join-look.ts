import type { ClusterFacts, Joining } from '../consul/joining.ts'
import type { Primary } from '../consul/manifest.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { run } from '../core/exec.ts'
import { unit } from '../core/systemd.ts'
import { systemUser } from '../core/users.ts'
import { withDatabase } from './client.ts'
import { remoteDatabase } from './database.ts'
import { checkClock, chooseVersion } from './decide-join.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { isPristine, POSTGRESQL_PORT, systemIdentifier } from './server.ts'

/** A primary that works answers this in milliseconds. */
const PRIMARY_MS = 5000

export const noPrimary = (): UnderstudyError =>
  new UnderstudyError(EXIT.unavailable, 'the cluster has no primary to copy; start it first')

/** Chooses the PostgreSQL that joins. @throws one sentence where it cannot join, or must not be replaced. */
export async function lookAtPostgresql(joining: Joining): Promise<void> {
  const { cluster } = joining
  const version = chooseVersion(await readVersions(), cluster?.config.postgresqlVersion ?? null)
  joining.postgresql = { version, port: POSTGRESQL_PORT }
  await systemUser('postgres')
  if (!cluster) return
  if (!cluster.primary) throw noPrimary()
  await comparePrimary(cluster, cluster.primary)
}

/** Major versions of PostgreSQL that have a cluster named main, ascending. */
async function readVersions(): Promise<number[]> {
  const lines = (await run('pg_lsclusters', ['--no-header'])).split('\n')
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, cluster]) => cluster === 'main')
    .map(([version]) => Number(version))
    .sort((a, b) => a - b)
}

/** Compares the clocks, and makes sure that a copy of the primary would not replace anybody's data. */
async function comparePrimary({ config, credentials }: ClusterFacts, primary: Primary): Promise<void> {
  const version = config.postgresqlVersion
  const remote = await withDatabase(
    remoteDatabase(primary.address, primary.port, credentials.monitor),
    PRIMARY_MS,
    async (connection) => {
      const [row] = await connection.query<{ ms: string; id: string }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms, (select system_identifier::text from pg_control_system()) as id',
      )
      return row
    },
  )
  if (!remote)
    throw new UnderstudyError(EXIT.unavailable, `the primary ${primary.node} did not say what time it has`)
  checkClock(Date.now(), Number(remote.ms))

  const own = await systemIdentifier(version)
  if (own === null || own === remote.id) return
  await unit('start', postgresqlUnits.server(version))
  if (await isPristine(POSTGRESQL_PORT, await systemUser('postgres'))) return
  throw new UnderstudyError(
    EXIT.config,
    `the PostgreSQL cluster in ${postgresqlPaths.data(version)} holds data, which joining would replace; save it and remove it first (pg_dropcluster --stop ${version} main; pg_createcluster ${version} main)`,
  )
}
