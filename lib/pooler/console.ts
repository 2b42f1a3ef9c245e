import type { Connection, Target } from '../postgresql/client.ts'
import { LOOKUP_ROLE } from '../postgresql/config.ts'
import { postgresqlPaths } from '../postgresql/manifest.ts'

/** How long PgBouncer's console may take to answer. */
export const CONSOLE_MS = 2000

/** The administration console of this machine's PgBouncer, for the system user consul. */
export const localConsole: Target = {
  host: postgresqlPaths.sockets,
  port: 6432,
  user: 'consul',
  database: 'pgbouncer',
  console: {
    'SHOW DATABASES': 'name host port paused',
    'SHOW SERVERS': 'database addr port',
    'SHOW CLIENTS': null,
  },
}

/** Where a PgBouncer sends the clients of a database. */
export interface PoolTarget {
  host: string
  port: number
  /** This database is paused. A pause of all databases does not show here. */
  paused: boolean
}

/** A client's server connection, which it has for as long as it stays connected. */
export interface Link {
  database: string
  /** What KILL_CLIENT calls the client; null before PgBouncer 1.24, which has no such command. */
  client: string | null
  host: string
  port: number
}

/** Asks PgBouncer's console for every database that it knows. */
export async function readPoolers(console: Connection): Promise<Record<string, PoolTarget>> {
  const rows = await console.query<{ name: string; host: string | null; port: string; paused: string }>(
    'SHOW DATABASES',
  )
  return Object.fromEntries(
    rows
      .filter(({ name }) => name !== 'pgbouncer')
      .map(({ name, host, port, paused }) => [
        name,
        { host: host ?? '', port: Number(port), paused: Number(paused) === 1 },
      ]),
  )
}

/**
 * Where clients are connected to. A change of the target leaves those alone that wait for an answer. Logins that are being looked up
 * are not among them: they end by themselves (client_login_timeout).
 */
export async function readLinks(console: Connection): Promise<Link[]> {
  const servers =
    await console.query<Record<'database' | 'user' | 'addr' | 'port' | 'link', string>>('SHOW SERVERS')
  // Mostly there is none, and this session is among the clients.
  const isLinked = servers.some(({ link }) => link !== '')
  const clients = isLinked ? await console.query<{ ptr: string; id?: string }>('SHOW CLIENTS') : []
  const ids = new Map(clients.map(({ ptr, id }) => [ptr, id]))
  return servers
    .filter(({ link, user }) => link !== '' && user !== LOOKUP_ROLE)
    .map(({ database, addr, port, link }) => ({
      ...{ database, client: ids.get(link) ?? null },
      ...{ host: addr, port: Number(port) },
    }))
}
