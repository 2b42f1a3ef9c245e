import assert from 'node:assert/strict'
import type { Cluster } from './cluster.ts'
import type { Machine } from './machine.ts'
import { timelineOf } from './wal.ts'

/** What was acknowledged to clients, and whether it is still there. */
export class Ledger {
  readonly #cluster: Cluster
  /** Commits wait for standbys in a cluster like this: then what was acknowledged is a promise. */
  readonly #promises: boolean
  readonly #acknowledged = new Set<number>()

  constructor(cluster: Cluster, promises: boolean) {
    this.#cluster = cluster
    this.#promises = promises
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Acknowledges whatever may be by now, and sees whether anything is wrong. */
  check(): void {
    if (!this.#promises) return
    const { machines, published } = this.#cluster
    for (const machine of machines) if (machine.role === 'primary') this.#acknowledge(machine)
    const has = new Set(published.wal.map(({ id }) => id))
    for (const id of this.#acknowledged)
      assert.ok(has.has(id), `${published.node} leads without commit ${id}`)
  }

  #acknowledge(primary: Machine): void {
    const { published } = this.#cluster
    for (const { id, timeline, by } of primary.wal.slice(0, this.#onDisk(primary))) {
      if (this.#acknowledged.has(id) || by !== primary.node || timeline !== timelineOf(primary.wal)) continue
      assert.ok(primary === published, `${primary.node} acknowledges, and ${published.node} is the primary`)
      this.#acknowledged.add(id)
    }
  }

  /** How much of its WAL a primary takes to be on disk on enough standbys. */
  #onDisk(primary: Machine): number {
    const { standbys, count } = primary.commit
    if (count === 0) return primary.wal.length
    const flushed = standbys
      .map((node) => this.#cluster.machine(node))
      .filter((standby) => this.#cluster.streams(standby, primary))
      .map(({ wal }) => wal.length)
      .sort((one, other) => other - one)
    return flushed[count - 1] ?? 0
  }
}
