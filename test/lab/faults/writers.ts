/** Clients that write all the time: one on every machine through its own PgBouncer, one through the virtual IP. */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '../../../lib/core/wait.ts'
import { VIRTUAL_IP } from '../lib/cluster.ts'
import { killTree } from '../lib/host.ts'
import { onJsonLine } from '../lib/json-lines.ts'
import type { Lab } from '../lib/lab.ts'
import { orderLine, type WriterLine, writerProgram } from '../lib/writer.ts'
import { installWriter, PROGRAM_INSIDE } from './bundle-writer.ts'
import type { Attempt } from './evidence.ts'

/** The name of the client in the network. */
export const NETWORK_CLIENT = 'client'

/** So that all of them leave most of two processor cores to the machines. */
const PAUSE_MS = 30
/** How often a client is started again whose machine is off. */
const RESTART_MS = 500
const END_MS = 3000
/** The values of each client are in a range of their own. */
const RANGE = 1e9

interface Client {
  readonly name: string
  readonly host: string
  /** The command line of its process; throws where there can be none now. */
  readonly command: () => string[]
  /** The last value that was used. */
  last: number
  process: ChildProcess | null
}

export class Writers {
  readonly #password: string
  readonly #clients: readonly Client[]
  readonly #attempts: Attempt[] = []
  readonly #errors: { at: number; writer: string; error: string }[] = []
  #acknowledgements = 0
  #stopping = false
  #running: Promise<unknown> = Promise.resolve()

  private constructor(lab: Lab, password: string) {
    this.#password = password
    const node = '/usr/bin/node'
    const clients: Omit<Client, 'last' | 'process'>[] = [
      { name: NETWORK_CLIENT, host: VIRTUAL_IP, command: () => lab.clientCommand(['node', writerProgram]) },
      ...lab.machines.map(({ name }) => ({
        name,
        host: '127.0.0.1',
        command: () => lab.execCommand(name, [node, PROGRAM_INSIDE]),
      })),
    ]
    this.#clients = clients.map((client, index) => ({ ...client, last: (index + 1) * RANGE, process: null }))
  }

  /** Starts all of them and waits until each has written; the table must be there, and empty. */
  static async start(lab: Lab, password: string): Promise<Writers> {
    await installWriter(lab)
    const writers = new Writers(lab, password)
    writers.#running = Promise.all(writers.#clients.map((client) => writers.#keepRunning(client)))
    await writers.untilEachWrote(0, 20_000)
    return writers
  }

  /** Everything that was sent so far, in the order of its sending by each client. */
  get attempts(): readonly Attempt[] {
    return this.#attempts
  }

  /** How many rows were acknowledged so far. */
  get acknowledgements(): number {
    return this.#acknowledgements
  }

  /** What clients were told instead of an acknowledgement. */
  get errors(): readonly { at: number; writer: string; error: string }[] {
    return this.#errors
  }

  /** A machine takes its client with it when it goes off: it is started again when the machine is back. */
  async #keepRunning(client: Client): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#runOnce(client)
      } catch {
        // The machine is off or frozen.
      }
      if (!this.#stopping) await pause(RESTART_MS)
    }
  }

  #runOnce(client: Client): Promise<void> {
    const [program = '', ...argv] = client.command()
    const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'ignore'] })
    client.process = child
    child.stdin.on('error', () => {}) // it may end before it has read its order
    child.stdin.write(
      orderLine({ host: client.host, password: this.#password, from: client.last, pauseMs: PAUSE_MS }),
    )
    onJsonLine<WriterLine>(child.stdout, (line) => this.#take(client, line))
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => {
        client.process = null
        resolve()
      })
    })
  }

  #take(client: Client, line: WriterLine): void {
    client.last = line.value
    if (!('ok' in line)) {
      const { value, sentAt } = line
      this.#attempts.push({ writer: client.name, value, sentAt, acknowledged: null })
      return
    }
    const { at } = line
    if (!line.ok) {
      this.#errors.push({ at, writer: client.name, error: line.error })
      return
    }
    const attempt = this.#attempts.findLast(({ value }) => value === line.value)
    if (attempt === undefined) throw new Error(`an answer to ${line.value}, which was never sent`)
    this.#acknowledgements++
    attempt.acknowledged = { at, server: line.server, timeline: Number.parseInt(line.timeline, 16) }
  }

  /** The clients that have nothing acknowledged that they sent after a moment. */
  #silentSince(after: number): string[] {
    return this.#clients
      .map(({ name }) => name)
      .filter(
        (name) =>
          this.#attempts.findLast(
            ({ writer, sentAt, acknowledged }) => acknowledged !== null && writer === name && sentAt > after,
          ) === undefined,
      )
  }

  /** Waits until every client has a row acknowledged that it sent after a moment. */
  async untilEachWrote(after: number, timeoutMs: number): Promise<void> {
    await waitFor(
      'every client has written',
      timeoutMs,
      async () => {
        const silent = this.#silentSince(after)
        if (silent.length === 0) return true
        const last = this.#errors.findLast(({ writer }) => silent.includes(writer))?.error
        throw new Error(`not ${silent.join(', ')}${last === undefined ? '' : `; the last error: ${last}`}`)
      },
      100,
    )
  }

  /** Ends all clients, and waits until they have. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const { process } of this.#clients) process?.stdin?.end()
    const ended = await Promise.race([this.#running.then(() => true), pause(END_MS, false, { ref: false })])
    if (ended) return
    // One that hangs on a frozen machine.
    for (const { process } of this.#clients) if (process?.pid !== undefined) killTree(process.pid)
    await this.#running
  }
}
