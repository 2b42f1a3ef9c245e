/** What Consul says about the primary while something happens, as it happens and without asking again and again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { DEFAULT_PREFIX } from '../../../lib/consul/entry.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { onJsonLine } from '../lib/json-lines.ts'
import type { Lab } from '../lib/lab.ts'

/** One of the two documents about the primary, as it was from a moment on. */
export interface Change {
  /** Epoch milliseconds. */
  readonly at: number
  readonly key: string
  /** Whether a session holds it as a lock. */
  readonly held: boolean
  /** How often it was taken as a lock. */
  readonly lockIndex: number
  readonly value: { readonly node?: string; readonly timeline?: number; readonly epoch?: number }
}

/** Runs in a machine: Consul's blocking queries cost nothing until there is something to say. */
const program = `
const http = require('node:http')
function follow(key, index) {
  const again = (next) => setTimeout(follow, next === index ? 200 : 0, key, next)
  const path = '/v1/kv/${DEFAULT_PREFIX}' + key + '?stale&wait=60s&index=' + index
  http.get({ host: '127.0.0.1', port: 8500, path }, (response) => {
    let body = ''
    response.on('data', (data) => { body += data })
    response.on('error', () => again(0))
    response.on('end', () => {
      if (response.statusCode !== 200) return again(0)
      const [{ Session, LockIndex, Value }] = JSON.parse(body)
      const value = JSON.parse(Buffer.from(Value, 'base64').toString())
      console.log(JSON.stringify({ at: Date.now(), key, held: Boolean(Session), lockIndex: LockIndex, value }))
      again(Number(response.headers['x-consul-index']))
    })
  }).on('error', () => again(0))
}
for (const key of process.argv.slice(1)) follow(key, 0)
`

export class Watch {
  readonly changes: Change[] = []
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
    onJsonLine<Change>(child.stdout, (change) => this.#add(change))
  }

  /** Watches through the agent of one machine, which should be none that anything is going to happen to. */
  static async start(lab: Lab, machine: string): Promise<Watch> {
    const keys = [consulKeys.leader.path, consulKeys.primary.path]
    const [file = '', ...argv] = lab.execCommand(machine, ['node', '-e', program, ...keys])
    const watch = new Watch(spawn(file, argv, { stdio: ['ignore', 'pipe', 'inherit'] }))
    await waitFor('Consul tells who is the primary', 20_000, async () =>
      keys.every((key) => watch.changes.some((change) => change.key === key)) ? true : null,
    )
    return watch
  }

  /** A query that came back unchanged is no change. */
  #add(change: Change): void {
    const last = this.changes.findLast(({ key }) => key === change.key)
    const same = last && JSON.stringify({ ...last, at: 0 }) === JSON.stringify({ ...change, at: 0 })
    if (!same) this.changes.push(change)
  }

  /** The first change after a moment that is as wanted. */
  first(after: number, wanted: (change: Change) => boolean): Change | undefined {
    return this.changes.find((change) => change.at >= after && wanted(change))
  }

  stop(): void {
    this.#process.kill('SIGKILL')
  }
}
