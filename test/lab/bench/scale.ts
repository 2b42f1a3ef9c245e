/** What a cluster costs at rest, and how long a failover takes, as it grows. */
import { explain } from '../../../lib/core/errors.ts'
import type { Suite } from '../lib/state.ts'
import type { Curve } from './curves.ts'
import { primaryPower } from './events.ts'
import { type Failed, meets, Renewable, type Spread, spreadOf } from './failover.ts'
import { type Machines, watchAtRest } from './idle.ts'
import type { Run } from './run.ts'
import { Stage } from './stage.ts'

export const SCALE_LAB = 'bench-scale'
/** Machines of a cluster that has more of something else. */
const MACHINES = 3

export interface ScaleResult {
  readonly curves: readonly MeasuredCurve[]
  /** For the median of each point's failovers. */
  readonly goalMs: number
  readonly goalMet: boolean
}

/** Of {@link Curve}, with a point for each size. */
export interface MeasuredCurve extends Pick<Curve, 'name' | 'title'> {
  readonly points: readonly Point[]
}

/** A cluster with so many of something. */
export interface Point {
  readonly size: number
  /** At rest; null where that could not be measured. */
  readonly machines: Machines | null
  /** After a power cut of the primary. */
  readonly failover: Spread
  /** What went wrong before the failovers, one sentence each. */
  readonly problems: readonly string[]
}

export interface ScaleOptions {
  readonly curves: readonly Curve[]
  readonly runs: number
  readonly suite: Suite
  readonly log: (line: string) => void
  /** Told of each failover as it ends. */
  readonly seen: (curve: Curve, size: number, number: number, run: Run | Failed) => void
}

/** Whether every failover of a point went well, and quickly enough. */
export const isInOrder = ({ problems, failover }: Point, goalMs: number): boolean =>
  problems.length === 0 && meets(failover, goalMs)

/** Measures every point of every curve: at rest first, then `runs` failovers. One cluster grows from point to point, where it can. */
export async function benchScale({ curves, runs, suite, log, seen }: ScaleOptions): Promise<ScaleResult> {
  const newStage = (machines: number) =>
    new Renewable(() => Stage.build(suite, log, { name: SCALE_LAB, machines }))

  async function measure(curve: Curve, size: number, stage: Renewable<Stage>): Promise<Point> {
    const ready = async (grown: Stage): Promise<void> => curve.grow?.(grown, size)
    const problems: string[] = []
    const atRest = async (grown: Stage): Promise<Machines | undefined> => {
      const started = performance.now()
      await ready(grown)
      log(`${size} ${curve.title}: there after ${((performance.now() - started) / 1000).toFixed(0)} s`)
      return (await watchAtRest([grown], runs, log))[0]
    }
    const machines = await stage.use(atRest).catch((error) => void problems.push(explain(error)))
    const found: (Run | Failed)[] = []
    for (let number = 0; number < runs; number++) {
      const run = await stage.run(primaryPower, number, ready)
      found.push(run)
      seen(curve, size, number, run)
    }
    return { size, machines: machines ?? null, failover: spreadOf(found), problems }
  }

  const measured: MeasuredCurve[] = []
  for (const curve of curves) {
    const points: Point[] = []
    const growing = newStage(MACHINES)
    for (const size of curve.sizes)
      points.push(await measure(curve, size, curve.grow ? growing : newStage(size)))
    measured.push({ name: curve.name, title: curve.title, points })
  }
  const { goalMs } = primaryPower
  const goalMet = measured.every(({ points }) => points.every((point) => isInOrder(point, goalMs)))
  return { curves: measured, goalMs, goalMet }
}
