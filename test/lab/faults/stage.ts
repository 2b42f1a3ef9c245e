/** A cluster with clients that write to it: what scenarios are played on. */
import { spawn } from 'node:child_process'
import { waitFor } from '../../../lib/core/wait.ts'
import { appPassword, sqlThroughVirtualIp } from '../lib/cluster.ts'
import { killTree } from '../lib/host.ts'
import { upJoined } from '../lib/joined.ts'
import { Lab } from '../lib/lab.ts'
import type { Suite } from '../lib/state.ts'
import { CREATE_TABLE } from '../lib/writer.ts'
import { type ClusterKind, USUAL } from './cluster-kind.ts'
import { Events } from './events.ts'
import type { Sighting } from './evidence.ts'
import { Writers } from './writers.ts'

export interface StageOptions {
  /** The lab's. */
  readonly name: string
  readonly suite?: Suite
  /** The usual one unless told. */
  readonly cluster?: ClusterKind
  /** Is told what happens. */
  readonly tell: (line: string) => void
  /** Is done on the cluster before anybody writes. */
  readonly prepare?: (lab: Lab) => Promise<void>
}

/** A unit's process that hangs. */
interface Hanging {
  readonly machine: string
  readonly unit: string
  readonly pid: string
}

export class Stage {
  readonly lab: Lab
  readonly cluster: ClusterKind
  readonly writers: Writers
  readonly events: Events
  readonly sightings: Sighting[] = []
  /** Daemons that hang and that nobody lets go on. */
  hanging: Hanging[] = []
  /** Acknowledged rows that were found to be gone after an earlier round. */
  readonly missed = new Set<number>()

  private constructor(lab: Lab, cluster: ClusterKind, writers: Writers, events: Events) {
    this.lab = lab
    this.cluster = cluster
    this.writers = writers
    this.events = events
  }

  /** Starts a new lab with a cluster and its clients. */
  static async open({
    name,
    suite = 'trixie',
    cluster = USUAL,
    tell,
    prepare,
  }: StageOptions): Promise<Stage> {
    try {
      const { machines, durability } = cluster
      const join = durability === USUAL.durability ? [] : ['--durability', durability]
      const lab = await upJoined({ name, suite, machines, join, clocks: true, log: tell })
      const password = await appPassword(lab, 'n1')
      await sqlThroughVirtualIp(lab, password, CREATE_TABLE)
      await prepare?.(lab)
      const events = new Events(tell)
      const writers = await Writers.start(lab, password)
      events.note(
        `a cluster of ${machines} (${suite}, ${durability}), and a client on every machine and in the network`,
      )
      return new Stage(lab, cluster, writers, events)
    } catch (error) {
      await Lab.remove(name)
      throw error
    }
  }

  /** Ends the clients; the lab too, unless it is to be kept. */
  async close(keep = false): Promise<void> {
    await this.writers.stop()
    if (!keep) await this.lab.down()
  }

  get machines(): string[] {
    return this.lab.machines.map(({ name }) => name)
  }

  others(...machines: readonly string[]): string[] {
    return this.machines.filter((candidate) => !machines.includes(candidate))
  }

  /** The latest timeline on which anything was acknowledged. */
  get timeline(): number {
    return this.writers.attempts.reduce(
      (latest, { acknowledged }) => Math.max(latest, acknowledged?.timeline ?? 0),
      0,
    )
  }

  /** Waits until a row is acknowledged on a later timeline: somebody was promoted, and clients have found it. */
  async untilPromoted(from: number, timeoutMs: number): Promise<void> {
    await waitFor(
      'a promoted primary acknowledges a row',
      timeoutMs,
      async () =>
        this.writers.attempts.findLast(({ acknowledged }) => (acknowledged?.timeline ?? 0) > from) ?? null,
      50,
    )
  }

  /** Waits until this many more rows are acknowledged, by whomever. */
  async untilMoreWritten(count: number, timeoutMs: number): Promise<void> {
    const from = this.writers.acknowledgements
    await waitFor(
      `${count} more rows are acknowledged`,
      timeoutMs,
      async () => this.writers.acknowledgements >= from + count || null,
      50,
    )
  }

  /** Starts a command in a machine that goes on until it is ended. @returns what ends it. */
  background(machine: string, argv: readonly string[]): () => Promise<void> {
    const [program = '', ...rest] = this.lab.execCommand(machine, argv)
    const child = spawn(program, rest, { stdio: 'ignore' })
    const closed = new Promise<void>((resolve) => {
      child.once('error', () => resolve())
      child.once('close', () => resolve())
    })
    return async () => {
      if (child.pid !== undefined && child.exitCode === null) killTree(child.pid)
      await closed
    }
  }
}
