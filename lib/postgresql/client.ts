import type { Client, ClientConfig, QueryResultRow } from 'pg'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { passwordFromFile } from './passfile.ts'

/** How to reach a database: a local Unix socket (peer authentication) or an address with a password. */
export interface Target {
  host: string
  port: number
  user: string
  database: string
  password?: string
}

export interface Connection {
  /** Runs one statement. With `values` undefined the simple protocol is used, which PgBouncer's console needs. */
  query<R extends QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<R[]>
}

/**
 * Connects, does the work and disconnects, all within one deadline.
 * @throws {UnderstudyError} `unavailable` where the database cannot be reached in time, with the cause.
 */
export async function withDatabase<T>(
  target: Target,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { user, password } = target
  const config: ClientConfig = {
    ...target,
    // Asked for only where the server wants one; over the Unix socket it does not.
    password: password ?? (async () => passwordFromFile(user)),
    connectionTimeoutMillis: timeoutMs,
    application_name: 'understudy',
  }
  const deadline = performance.now() + timeoutMs
  const client = await connect(target, config)
  // A connection that breaks while idle emits 'error'; the next query reports it.
  client.on('error', () => {})
  try {
    return await work({
      async query<R extends QueryResultRow>(sql: string, values?: readonly unknown[]) {
        const left = Math.max(1, deadline - performance.now())
        // pg takes it with each query as well as with the client, but its types do not know.
        const query = { text: sql, ...(values ? { values: [...values] } : {}), query_timeout: left }
        return (await client.query<R>(query)).rows
      },
    })
  } catch (cause) {
    if (isAnswer(cause)) throw cause
    throw new UnderstudyError(EXIT.unavailable, `lost ${target.database} at ${target.host}:${target.port}`, {
      cause,
    })
  } finally {
    // Not awaited: a silent peer would hold us until TCP gives up.
    client.end().catch(() => {})
  }
}

/** Did the server itself answer with an error (an SQLSTATE), other than that it is going down (class 57P)? */
const isAnswer = (error: unknown): boolean => {
  const { code } = error as { code?: string }
  return (
    error instanceof UnderstudyError ||
    (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57P'))
  )
}

async function connect(target: Target, config: ClientConfig): Promise<Client> {
  // pg looks for Cloudflare's runtime by way of navigator, whose getter costs 30 ms on Node 20.
  const scope = globalThis as { navigator?: { userAgent: string } }
  scope.navigator ??= { userAgent: 'Node.js' }
  const { default: pg } = await import('pg')
  const client = new pg.Client(config)
  try {
    await client.connect()
    return client
  } catch (cause) {
    client.end().catch(() => {})
    throw new UnderstudyError(
      EXIT.unavailable,
      `could not connect to ${target.database} at ${target.host}:${target.port} as ${target.user}`,
      { cause },
    )
  }
}

/** An SQL string constant, for statements that take no parameters (ALTER SYSTEM). */
export const sqlLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`
