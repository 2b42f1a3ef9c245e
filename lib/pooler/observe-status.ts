import { type Connection, type Target, withDatabase } from '../postgresql/client.ts'
import { localConsole, type PoolTarget, readPoolers } from './console.ts'

/** The target of a member's PgBouncer, or null where it does not know the database. */
export async function askPgbouncer(
  address: string,
  database: string,
  timeoutMs: number,
): Promise<PoolTarget | null> {
  const target: Target = { ...localConsole, host: address, user: 'understudy_monitor' }
  return withDatabase(target, timeoutMs, async (console) => {
    const pooler = (await readPoolers(console))[database]
    if (!pooler || pooler.paused) return pooler ?? null
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
