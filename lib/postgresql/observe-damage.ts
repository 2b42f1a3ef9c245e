import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Context } from '../consul/handler.ts'
import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import { tryRun } from '../core/exec.ts'
import type { Settings } from '../core/settings.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { positionOf } from './decide-confirmed.ts'
import { isOlder } from './decide-lineage.ts'
import type { Damage } from './decide-rejoin.ts'
import { CLONE_AGAIN_MS, FAILED_STARTS, isNotTheData, lastWords } from './decide-starts.ts'
import { postgresqlKeys, postgresqlPaths } from './manifest.ts'
import { readOffer } from './observe-lineage.ts'
import { observeStarts } from './starts.ts'
import { locationsOf } from './tablespaces.ts'

/** A primary that works answers this in milliseconds. */
const PRIMARY_MS = 5000
/** What PostgreSQL says last is at the end of its log. */
const LOG_BYTES = 64 * 1024

/** What is known of a standby that does not run. */
export async function observeDamage({
  postgresqlVersion: version,
  postgresqlPort: port,
}: Settings): Promise<Damage> {
  const nowMs = Date.now()
  const { failed, last, position } = await observeStarts(version, nowMs)
  const fresh = last?.cloned != null && nowMs - Date.parse(last.cloned) < CLONE_AGAIN_MS
  if (failed < FAILED_STARTS) return { failed, says: null, obstacle: null, fresh }
  const said = lastWords(readLog(postgresqlPaths.log(version), last?.logBytes ?? 0))
  const says = said ?? (position === null ? 'global/pg_control cannot be read' : null)
  const obstacle = isNotTheData(said) ? said : await findObstacle(version, port)
  return { failed, says, obstacle, fresh }
}

/** What was added to a log since it was so long: all of it, if it is shorter by now. */
function readLog(path: string, since: number): string {
  if (!existsSync(path)) return ''
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const from = Math.max(size < since ? 0 : since, size - LOG_BYTES)
    const buffer = Buffer.alloc(size - from)
    readSync(file, buffer, 0, buffer.length, from)
    return buffer.toString()
  } finally {
    closeSync(file)
  }
}

/** What would keep PostgreSQL from starting with any data, in one sentence, or null. */
async function findObstacle(version: number, port: number): Promise<string | null> {
  const lost = locationsOf(postgresqlPaths.data(version)).find((location) => !existsSync(location))
  if (lost !== undefined) return `the directory ${lost} of a tablespace is missing; mount its disk`
  const config = `config_file=${postgresqlPaths.configDirectory(version)}/postgresql.conf`
  const { exitCode, stderr } = await tryRun(
    postgresqlPaths.bin(version, 'postgres'),
    ['-C', 'port', '-c', config],
    {
      env: { LC_ALL: 'C' },
    },
  )
  if (exitCode !== 0) return stderr.trim().split('\n')[0] ?? 'its configuration is wrong'
  return (await isTaken(port)) ? `something else listens on port ${port}` : null
}

const isTaken = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(false)))
  })

/** Has the primary less than what was confirmed? null without a primary. */
export async function observePrimaryLacks(
  { consul }: Context,
  leadership: Leadership | Unknown,
): Promise<boolean | null | Unknown> {
  const primary = leadership === UNKNOWN ? null : currentPrimary(leadership)
  if (primary === null) return null
  const upstream = { host: primary.address, port: primary.port }
  const [offer, confirmed] = await Promise.all([
    orUnknown(readOffer(upstream, PRIMARY_MS)),
    orUnknown(consul.get(postgresqlKeys.confirmed)),
  ])
  if (offer === UNKNOWN || confirmed === UNKNOWN) return UNKNOWN
  return (
    confirmed !== null && isOlder({ timeline: offer.timeline, lsn: offer.end }, positionOf(confirmed.value))
  )
}
