/** All events, several times each. */
import { explain } from '../../../lib/core/errors.ts'
import type { Suite } from '../lib/state.ts'
import type { Event } from './events.ts'
import { median } from './gap.ts'
import { type Run, runOnce } from './run.ts'
import { Stage } from './stage.ts'

/** What an event gave, and whether that is what is promised. */
export interface Result {
  readonly name: string
  readonly title: string
  readonly goalMs: number
  readonly patroni: string | null
  /** Null where no run came to its end. */
  readonly medianMs: number | null
  readonly minMs: number | null
  readonly maxMs: number | null
  readonly goalMet: boolean
  readonly runs: readonly (Run | Failed)[]
}

/** A run after which the cluster was not in order. */
interface Failed {
  readonly gapMs: null
  readonly problems: readonly string[]
}

export interface BenchOptions {
  readonly events: readonly Event[]
  readonly runs: number
  readonly suite: Suite
  readonly log: (line: string) => void
  /** Told of each run as it ends. */
  readonly seen: (event: Event, number: number, run: Run | Failed) => void
}

function summarise({ name, title, goalMs, patroni }: Event, runs: readonly (Run | Failed)[]): Result {
  const gaps = runs.flatMap(({ gapMs }) => gapMs ?? [])
  const medianMs = median(gaps) ?? null
  return {
    ...{ name, title, goalMs, patroni: patroni ?? null, medianMs },
    minMs: gaps.length > 0 ? Math.min(...gaps) : null,
    maxMs: gaps.length > 0 ? Math.max(...gaps) : null,
    goalMet: medianMs !== null && medianMs <= goalMs && runs.every(({ problems }) => problems.length === 0),
    runs,
  }
}

/** Measures. A cluster that does not recover is a failed run, and the next run gets a new one. */
export async function benchFailover({ events, runs, suite, log, seen }: BenchOptions): Promise<Result[]> {
  let stage = await Stage.build(suite, log)
  const results: Result[] = []
  for (const event of events) {
    const measured: (Run | Failed)[] = []
    for (let number = 0; number < runs; number++) {
      try {
        measured.push(await runOnce(stage, event, number))
      } catch (error) {
        measured.push({ gapMs: null, problems: [explain(error)] })
      }
      const last = measured.at(-1) as Run | Failed
      seen(event, number, last)
      if (last.gapMs === null) stage = await Stage.build(suite, log)
    }
    results.push(summarise(event, measured))
  }
  return results
}
