import { withDatabase } from './client.ts'
import type { Upstream } from './data-directory.ts'
import type { Offer } from './decide-lineage.ts'
import { parseLsn } from './lsn.ts'

/** Far more than any history file has, a line for each promotion. PostgreSQL 15 takes "missing_ok" only with a length. */
const LONGEST_HISTORY = 1024 * 1024

/** Asks a primary (as repmgr, a superuser there) for what it says about its WAL. */
export async function readOffer(primary: Upstream, timeoutMs: number): Promise<Offer> {
  const target = { host: primary.host, port: primary.port, user: 'repmgr', database: 'repmgr' }
  return withDatabase(target, timeoutMs, async (connection) => {
    const [row] = await connection.query<{
      timeline: number
      history: string | null
      oldest: string
      end: string
    }>(
      `with here as (
         select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline,
           (select setting::bigint from pg_settings where name = 'wal_segment_size') as size)
       select ('x' || timeline)::bit(32)::int as timeline,
         pg_read_file('pg_wal/' || timeline || '.history', 0, ${LONGEST_HISTORY}, true) as history,
         ('0/0'::pg_lsn + (select min(('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296
                                    + ('x' || substr(name, 17, 8))::bit(32)::bigint * size)
                           from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'))::text as oldest,
         pg_current_wal_flush_lsn()::text as "end"
       from here`,
    )
    if (!row) throw new Error('the primary did not say which timeline it is on')
    const { timeline, history, oldest, end } = row
    return { timeline, history: history ?? '', oldest: parseLsn(oldest), end: parseLsn(end) }
  })
}
