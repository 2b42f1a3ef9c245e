import type { Connection, Target } from './client.ts'
import { nobodyListens, readRole, withMonitor } from './database.ts'
import { unsafeOf } from './decide-settings.ts'
import type { DatabaseAnswer } from './decide-status.ts'
import { readHotStandby } from './hot-standby.ts'
import { parseLsn } from './lsn.ts'
import { postgresqlPaths } from './manifest.ts'
import { readSettingsInEffect } from './observe-settings.ts'

/** From now on this process finds the passwords of monitoring and of repmgr. It takes root. */
export function useMonitorPassword(): void {
  process.env['PGPASSFILE'] = postgresqlPaths.repmgrPassfile
}

/**
 * Role, timeline, position (written by a primary, replayed by a standby), where the WAL comes from, and unsafe settings.
 * @param address of the machine, where `target` is its socket.
 */
export async function askPostgresql(
  target: Target,
  timeoutMs: number,
  address?: string,
): Promise<DatabaseAnswer> {
  try {
    return await withMonitor(target, timeoutMs, readAnswer, address)
  } catch (error) {
    if (nobodyListens(error)) return { role: 'down' }
    throw error
  }
}

async function readAnswer(connection: Connection): Promise<DatabaseAnswer> {
  const role = await readRole(connection)
  const { position, streaming, upstream } = await readReplication(connection)
  if (role.role === 'down') return role
  const unsafe = unsafeOf(await readSettingsInEffect(connection))
  const hotStandby = await readHotStandby(connection)
  const answer = { position, hotStandby, ...(unsafe.length > 0 && { unsafe }) }
  return role.role === 'primary' ? { ...role, ...answer } : { ...role, ...answer, streaming, upstream }
}

async function readReplication(connection: Connection) {
  const [row] = await connection.query<{
    position: string | null
    status: string | null
    upstream: string | null
  }>(`
    select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text as position,
      receiver.status, receiver.sender_host as upstream
    from (values (1)) as always left join pg_stat_wal_receiver as receiver on true`)
  return {
    position: row?.position ? parseLsn(row.position) : 0n,
    streaming: row?.status === 'streaming',
    upstream: row?.upstream ?? null,
  }
}
