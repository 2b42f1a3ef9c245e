/** The cluster that is measured. */

import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import type { StatusDocument } from '../../../lib/status/facts.ts'
import { appPassword, sqlThroughVirtualIp, untilHealthy } from '../lib/cluster.ts'
import { upJoined } from '../lib/joined.ts'
import type { Lab } from '../lib/lab.ts'
import type { Suite } from '../lib/state.ts'
import { CREATE_TABLE, Writer } from '../lib/writer.ts'

export const LAB = 'bench'
const HEALTHY_MS = 180_000
/** Further apart than what any writer writes. */
export const VALUES_PER_WRITER = 1_000_000

/** Who does what before something happens. */
export interface Scene {
  readonly lab: Lab
  readonly primary: string
  readonly timeline: number
  readonly standbys: readonly [string, string, ...string[]]
  /** The machine whose agent leads Consul. */
  readonly consulLeader: string
}

/** A cluster that is measured: ours, or the one beside it. */
export interface Cluster {
  readonly lab: Lab
  /** Its failovers can be followed in Consul, in the documents that ours has there. */
  readonly publishes: boolean
  /** Waits until everything is in order. */
  untilHealthy(): Promise<Scene>
  /** A client that writes, already at it. */
  write(): Promise<Writer>
  /** How many acknowledged writes are not there. */
  countLost(writer: Writer): Promise<number>
}

/** As Raft says: by its address. */
export async function consulLeaderOf(lab: Lab, asked: string): Promise<string> {
  const { stdout } = await lab.exec(asked, ['curl', '-s', 'http://127.0.0.1:8500/v1/status/leader'])
  const [address] = (JSON.parse(stdout) as string).split(':')
  return lab.machines.find((machine) => machine.address === address)?.name ?? ''
}

/** How many acknowledged writes a query does not find. */
export async function countLost(
  { acknowledged }: Writer,
  query: (text: string) => Promise<string>,
): Promise<number> {
  const [first, last] = [acknowledged[0], acknowledged.at(-1)]
  if (first === undefined || last === undefined) return 0
  const rows = `select value from written where value between ${first.value} and ${last.value}`
  const found = new Set((await query(rows)).split('\n').map(Number))
  return acknowledged.filter(({ value }) => !found.has(value)).length
}

export class Stage implements Cluster {
  readonly lab: Lab
  readonly publishes = true
  readonly #password: string
  #writers = 0

  private constructor(lab: Lab, password: string) {
    this.lab = lab
    this.#password = password
  }

  /** New machines, one cluster. @param options.machines three or more. */
  static async build(
    suite: Suite,
    log: (line: string) => void,
    { name = LAB, machines = 3 } = {},
  ): Promise<Stage> {
    log(`a cluster of ${machines} machines is started`)
    const lab = await upJoined({ name, machines, suite, log })
    const password = await appPassword(lab, 'n1')
    const stage = new Stage(lab, password)
    await stage.untilHealthy()
    await sqlThroughVirtualIp(lab, password, CREATE_TABLE)
    return stage
  }

  async untilHealthy(): Promise<Scene> {
    const [first] = await Promise.all(
      this.lab.machines.map(({ name }) => untilHealthy(this.lab, name, HEALTHY_MS)),
    )
    return this.#scene(first as StatusDocument)
  }

  async #scene({ machines }: StatusDocument): Promise<Scene> {
    const found = machines.flatMap(({ name, postgresql }) =>
      postgresql !== UNKNOWN && postgresql.role === 'primary' ? [{ name, ...postgresql }] : [],
    )
    const [primary] = found
    if (primary === undefined || found.length > 1)
      throw new Error(`${found.length || 'no'} machines are primary`)
    const [one, other, ...more] = machines.map(({ name }) => name).filter((name) => name !== primary.name)
    if (one === undefined || other === undefined) throw new Error('there are no two standbys')
    return {
      lab: this.lab,
      primary: primary.name,
      timeline: primary.timeline,
      standbys: [one, other, ...more],
      consulLeader: await consulLeaderOf(this.lab, primary.name),
    }
  }

  async write(): Promise<Writer> {
    const writer = await Writer.start(this.lab, this.#password, ++this.#writers * VALUES_PER_WRITER)
    await waitFor('100 writes', 20_000, async () => writer.acknowledged.length >= 100 || null)
    return writer
  }

  countLost(writer: Writer): Promise<number> {
    return countLost(writer, (text) => sqlThroughVirtualIp(this.lab, this.#password, text))
  }
}
