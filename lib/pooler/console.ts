import type { Connection, Target } from '../postgresql/client.ts'
import { postgresqlPaths } from '../postgresql/manifest.ts'

/** How long PgBouncer's console may take to answer. */
export const CONSOLE_MS = 2000

/** The administration console of this machine's PgBouncer, for the system user consul. */
export const localConsole: Target = {
  host: postgresqlPaths.sockets,
  port: 6432,
  user: 'consul',
  database: 'pgbouncer',
  console: true,
}

/** Where a PgBouncer sends the clients of a database. */
export interface Pooler {
  host: string
  port: number
  /** This database is paused. A pause of all databases does not show here. */
  paused: boolean
}

/** A client's server connection, which it has for as long as it stays connected. */
export interface Link {
  /** What KILL_CLIENT calls the client; null before PgBouncer 1.24, which has no such command. */
  client: string | null
  host: string
  port: number
}

/** Asks PgBouncer's console. @returns null if it does not know the database. */
export async function readPooler(console: Connection, database: string): Promise<Pooler | null> {
  const rows = await console.query<{ name: string; host: string | null; port: string; paused: string }>(
    'SHOW DATABASES',
  )
  const row = rows.find(({ name }) => name === database)
  return row ? { host: row.host ?? '', port: Number(row.port), paused: Number(row.paused) === 1 } : null
}

/** Where the clients of a database are connected to. A change of the target leaves those alone that wait for an answer. */
export async function readLinks(console: Connection, database: string): Promise<Link[]> {
  const servers = await console.query<{ database: string; addr: string; port: string; link: string }>(
    'SHOW SERVERS',
  )
  const clients = await console.query<{ ptr: string; id?: string }>('SHOW CLIENTS')
  const ids = new Map(clients.map(({ ptr, id }) => [ptr, id]))
  return servers
    .filter((server) => server.database === database && server.link !== '')
    .map(({ addr, port, link }) => ({ client: ids.get(link) ?? null, host: addr, port: Number(port) }))
}
