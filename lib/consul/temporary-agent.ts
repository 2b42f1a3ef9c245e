import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** How long an agent that was asked to leave may take: Consul waits 3 s until the others have heard of it. */
const LEAVE_MS = 8000
/** Of what the agent prints, this much is kept for an error: an error of Consul may take several lines. */
const LINES = 3
const CHARACTERS = 2000

/** A Consul agent as a process of ours, which ends with us. */
export class TemporaryAgent {
  readonly #process: ChildProcess
  #ended = false
  #printed = ''

  constructor(configFile: string) {
    // It leaves the cluster on SIGINT, which it is also sent where we are killed.
    const argv = ['--pdeathsig', 'INT', 'consul', 'agent', `-config-file=${configFile}`]
    const agent = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [agent.stdout, agent.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => this.#keep(text))
    }
    agent.on('error', (error) => {
      this.#keep(error.message)
      this.#ended = true
    })
    // Not 'exit': what it printed last has been read by then.
    agent.on('close', () => {
      this.#ended = true
    })
    this.#process = agent
  }

  /** It has ended, by itself or by a signal, or was never started. */
  get ended(): boolean {
    return this.#ended
  }

  /** The end of what it printed. */
  get printed(): string {
    return this.#printed
  }

  /** The last lines that it printed, in one. */
  get lastLines(): string {
    const lines = this.#printed.split('\n').map((line) => line.trim())
    return (
      lines
        .filter((line) => line !== '')
        .slice(-LINES)
        .join(' | ') || 'it printed nothing'
    )
  }

  /** Makes it leave the cluster, and waits until it has ended. */
  async leave(): Promise<void> {
    if (this.#ended) return
    const closed = once(this.#process, 'close')
    this.#process.kill('SIGINT')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), LEAVE_MS)
    await closed
    clearTimeout(timer)
  }

  /** Ends one that is in no cluster: it would take seconds to leave. */
  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #keep(text: string): void {
    this.#printed = (this.#printed + text).slice(-CHARACTERS)
  }
}
