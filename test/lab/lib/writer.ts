/** A client that writes through the virtual IP and remembers what was acknowledged. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { waitFor } from '../../../lib/core/wait.ts'
import { VIRTUAL_IP } from './cluster.ts'
import { onJsonLine } from './json-lines.ts'
import type { Lab } from './lab.ts'
import { steadyClock } from './steady-clock.ts'

/** An acknowledged write. */
export interface Acknowledged {
  value: number
  /** When the acknowledgement came, epoch milliseconds. */
  at: number
  /** The database that took it. */
  server: string
}

/** What the writer's process says: that it sends a row, then that it was acknowledged, or why not. */
export type WriterLine =
  | { value: number; sentAt: number }
  | { ok: true; value: number; at: number; server: string; timeline: string }
  | { ok: false; value: number; at: number; error: string }

/** What the writer's process is told, as its first line. */
export interface WriterOrder {
  /** Of several, the one whose database is a primary. */
  host: string | readonly string[]
  /** 6432 unless told. */
  port?: number
  password: string
  /** The first value is the next one. */
  from: number
  /** Between an answer and the next row; 10 unless told. */
  pauseMs?: number
}

/** The text of an order. It goes over stdin: argv can be read by everybody. */
export const orderLine = (order: WriterOrder): string =>
  `${JSON.stringify({ port: 6432, user: 'app', database: 'app', clock: steadyClock, ...order })}\n`

/** The program, which needs Node and the package pg. */
export const writerProgram = fileURLToPath(new URL('writer-process.mjs', import.meta.url))

/** Without autovacuum, whose work on a client's table would count with what is measured as ours. */
export const CREATE_TABLE = `create table if not exists written (value bigint primary key,
  at timestamptz not null default clock_timestamp()) with (autovacuum_enabled = off)`

export class Writer {
  readonly acknowledged: Acknowledged[] = []
  /** Errors the client saw, in order. */
  readonly errors: { at: number; error: string }[] = []
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
    onJsonLine<WriterLine>(child.stdout, (entry) => {
      if (!('ok' in entry)) return
      if (entry.ok) this.acknowledged.push({ value: entry.value, at: entry.at, server: entry.server })
      else this.errors.push({ at: entry.at, error: entry.error })
    })
  }

  /** Starts writing; the table must be there. The first value is `from` + 1. */
  static async start(
    lab: Lab,
    password: string,
    from = 0,
    where: Pick<WriterOrder, 'host' | 'port'> = { host: VIRTUAL_IP },
  ): Promise<Writer> {
    const [program, ...args] = lab.clientCommand(['node', writerProgram]) as [string, ...string[]]
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin?.write(orderLine({ ...where, password, from }))
    const writer = new Writer(child)
    await writer.untilWritten(0, 20_000)
    return writer
  }

  /** Waits for a write that was acknowledged after a moment. @returns it. */
  untilWritten(after: number, timeoutMs: number): Promise<Acknowledged> {
    return waitFor(
      'a write is acknowledged',
      timeoutMs,
      async () => this.acknowledged.find(({ at }) => at > after) ?? null,
      20,
    )
  }

  /** The longest time between two acknowledged writes, in milliseconds. */
  longestGapMs(): number {
    return Math.max(
      0,
      ...this.acknowledged
        .slice(1)
        .map(({ at }, index) => at - (this.acknowledged[index] as Acknowledged).at),
    )
  }

  /** Ends the client and waits until it has. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.stdin?.end()
    await ended
  }
}
