import { localConsole, type Pooler, readPooler } from '../pooler/console.ts'
import { type Connection, type Target, withDatabase } from '../postgresql/client.ts'
import { nobodyListens, readRole } from '../postgresql/database.ts'
import { parseLsn } from '../postgresql/lsn.ts'
import type { LocalDatabase } from '../postgresql/role.ts'

/** What a database says of itself and of its replication. */
export type DatabaseAnswer =
  | (LocalDatabase & { role: 'primary'; position: bigint })
  | (LocalDatabase & { role: 'standby'; position: bigint; streaming: boolean; upstream: string | null })
  | { role: 'down' }

/** Role, timeline, position (written by a primary, replayed by a standby) and where the WAL comes from. */
export async function askPostgresql(target: Target, timeoutMs: number): Promise<DatabaseAnswer> {
  try {
    return await withDatabase(target, timeoutMs, async (connection) => {
      const role = await readRole(connection)
      const { position, streaming, upstream } = await readReplication(connection)
      if (role.role === 'down') return role
      return role.role === 'primary' ? { ...role, position } : { ...role, position, streaming, upstream }
    })
  } catch (error) {
    if (nobodyListens(error)) return { role: 'down' }
    throw error
  }
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

/** The target of a member's PgBouncer, or null where it does not know the database. */
export async function askPgbouncer(
  address: string,
  database: string,
  timeoutMs: number,
): Promise<Pooler | null> {
  const target: Target = { ...localConsole, host: address, user: 'understudy_monitor' }
  return withDatabase(target, timeoutMs, async (console) => {
    const pooler = await readPooler(console, database)
    if (!pooler || pooler.paused) return pooler
    return { ...pooler, paused: await isPausedAsAWhole(console) }
  })
}

/** PAUSE without a database does not show in SHOW DATABASES, and PgBouncer 1.18 has no SHOW STATE. */
async function isPausedAsAWhole(console: Connection): Promise<boolean> {
  try {
    const rows = await console.query<{ key: string; value: string }>('SHOW STATE')
    return rows.some(({ key, value }) => key === 'paused' && value === 'yes')
  } catch (error) {
    if (/invalid command/.test((error as Error).message)) return false
    throw error
  }
}
