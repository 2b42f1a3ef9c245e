import { renderCopyConninfo } from './config-conninfo.ts'
import { SESSION_OPTIONS } from './config-session.ts'
import { postgresqlPaths } from './manifest.ts'
import type { TablespaceMapping } from './tablespaces.ts'

/**
 * What a copy asks of its sessions on the primary. Members must notice a silent primary within seconds; a receiver whose disk stalls
 * may be silent for minutes. The settings may be set by any user, see
 * https://www.postgresql.org/docs/current/runtime-config-replication.html and .../runtime-config-connection.html.
 */
const patience = {
  wal_sender_timeout: '5min',
  tcp_user_timeout: '0',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '6',
} as const

/** The value of PGOPTIONS for a copy. */
export const COPY_OPTIONS = [
  SESSION_OPTIONS,
  ...Object.entries(patience).map(([name, value]) => `-c ${name}=${value}`),
].join(' ')

export interface CopyRequest {
  host: string
  port: number
  /** The directory that is made. */
  directory: string
  /** The replication slot, which keeps the WAL that the copy needs. */
  slot: string
  tablespaces: readonly TablespaceMapping[]
  /** At most this much a second, as pg_basebackup takes it; null: no limit. */
  rate: string | null
}

/** Arguments of pg_basebackup, see https://www.postgresql.org/docs/current/app-pgbasebackup.html. */
export function copyArguments({ host, port, directory, slot, tablespaces, rate }: CopyRequest): string[] {
  const source = renderCopyConninfo({
    host,
    port,
    user: 'repmgr',
    application_name: 'understudy copy',
    passfile: postgresqlPaths.repmgrPassfile,
  })
  return [
    ...[`--pgdata=${directory}`, `--dbname=${source}`, '--no-password', '--progress'],
    // WAL is received beside the data: the primary keeps no more of it than the receiver is late.
    ...['--wal-method=stream', `--slot=${slot}`, '--checkpoint=fast'],
    ...tablespaces.map(({ from, to }) => `--tablespace-mapping=${escaped(from)}=${escaped(to)}`),
    ...(rate === null ? [] : [`--max-rate=${rate}`]),
  ]
}

/** Arguments of pg_rewind. It copies as a clone does, and one that is ended half-way leaves nothing but a clone. */
export function rewindArguments(version: number, primary: Pick<CopyRequest, 'host' | 'port'>): string[] {
  const source = renderCopyConninfo({
    ...{ host: primary.host, port: primary.port, user: 'repmgr', dbname: 'postgres' },
    passfile: postgresqlPaths.repmgrPassfile,
  })
  return [
    `--target-pgdata=${postgresqlPaths.data(version)}`,
    `--source-server=${source}`,
    // Debian keeps the configuration elsewhere; the crash recovery before a rewind needs it.
    `--config-file=${postgresqlPaths.serverConfig(version)}`,
  ]
}

const escaped = (path: string): string => path.replaceAll('=', '\\=')

/** How far a copy is. */
export interface CopyProgress {
  doneBytes: number
  totalBytes: number
}

/** A line of progress of pg_basebackup, which counts in kB; null where it is another line. */
export function parseProgress(line: string): CopyProgress | null {
  const [, done, total] = /^\s*(\d+)\/(\d+) kB \(\d+%\)/.exec(line) ?? []
  if (done === undefined || total === undefined) return null
  return { doneBytes: Number(done) * 1024, totalBytes: Number(total) * 1024 }
}
