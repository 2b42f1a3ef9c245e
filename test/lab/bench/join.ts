/** How long a join takes: of the first machine, and of two at the same moment. */
import { mustJoin, packageFile } from '../lib/cluster.ts'
import { Lab } from '../lib/lab.ts'
import type { Suite } from '../lib/state.ts'
import { type TimeSpread, timeSpreadOf } from './gap.ts'
import { LAB } from './stage.ts'

export interface JoinResult {
  readonly first: JoinTimes
  /** Of two that join at the same moment, the time of each. */
  readonly others: JoinTimes
  readonly goalMet: boolean
}

export interface JoinTimes extends TimeSpread {
  readonly goalMs: number
}

const MACHINES = 3
const FIRST_GOAL_MS = 8000
const OTHERS_GOAL_MS = 15_000

/** Each time on new machines, with an empty database: the whole command, from its start to its end. */
export async function benchJoin(options: {
  readonly runs: number
  readonly suite: Suite
  readonly log: (line: string) => void
}): Promise<JoinResult> {
  const { runs, suite, log } = options
  const [firsts, others]: [number[], number[]] = [[], []]
  for (let run = 0; run < runs; run++) {
    await Lab.remove(LAB)
    const lab = await Lab.up({ name: LAB, machines: MACHINES, suite, log })
    await lab.installPackage(packageFile())
    const timed = async (machine: string, member?: string): Promise<number> => {
      const started = performance.now()
      await mustJoin(lab, machine, member)
      return performance.now() - started
    }
    const [founder = '', ...joiners] = lab.machines.map(({ name }) => name)
    const first = await timed(founder)
    const both = await Promise.all(joiners.map((machine) => timed(machine, founder)))
    firsts.push(first)
    others.push(...both)
    const said = (ms: number): string => (ms / 1000).toFixed(1)
    log(`${run + 1}/${runs}: the first ${said(first)} s, the others ${both.map(said).join(' s and ')} s`)
  }
  const one = { ...timeSpreadOf(firsts), goalMs: FIRST_GOAL_MS }
  const two = { ...timeSpreadOf(others), goalMs: OTHERS_GOAL_MS }
  return {
    ...{ first: one, others: two },
    goalMet: [one, two].every(({ medianMs, goalMs }) => medianMs <= goalMs),
  }
}
