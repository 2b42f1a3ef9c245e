/** Events, several times each, and Patroni beside us where that is wanted: run by run, so that both have the same host. */
import { loadavg } from 'node:os'
import { explain } from '../../../lib/core/errors.ts'
import type { Suite } from '../lib/state.ts'
import type { Event } from './events.ts'
import { median } from './gap.ts'
import { PeerStage } from './peer.ts'
import { type PeerSettings, peerTimes } from './peer-config.ts'
import { type Run, runOnce } from './run.ts'
import { type Cluster, Stage } from './stage.ts'

/** Who is measured: we, or Patroni with some settings. */
export type Contender = 'understudy' | PeerSettings

/** What an event gave to one of them. Times are null where no run came to its end. */
export interface Spread {
  readonly medianMs: number | null
  readonly minMs: number | null
  readonly maxMs: number | null
  readonly runs: readonly (Run | Failed)[]
}

/** What an event gave, and whether that is what is promised. */
export interface Result extends Spread {
  readonly name: string
  readonly title: string
  readonly goalMs: number
  readonly peerGoal: number | null
  /** Patroni's; null where it was not measured. */
  readonly peer: Readonly<Record<PeerSettings, Spread>> | null
  readonly goalMet: boolean
  /** Of the host, over the last minute, when the event had been measured. */
  readonly load: number
}

/** A run after which the cluster was not in order. */
export interface Failed {
  readonly gapMs: null
  readonly problems: readonly string[]
}

export interface BenchOptions {
  readonly events: readonly Event[]
  readonly runs: number
  readonly suite: Suite
  readonly peer: boolean
  readonly log: (line: string) => void
  /** Told of each run as it ends. */
  readonly seen: (event: Event, contender: Contender, number: number, run: Run | Failed) => void
}

export function spreadOf(runs: readonly (Run | Failed)[]): Spread {
  const gaps = runs.flatMap(({ gapMs }) => gapMs ?? [])
  return {
    medianMs: median(gaps) ?? null,
    minMs: gaps.length > 0 ? Math.min(...gaps) : null,
    maxMs: gaps.length > 0 ? Math.max(...gaps) : null,
    runs,
  }
}

/** Our time as a part of Patroni's; null where one of them has none. */
export const ratioTo = (ours: Spread, peer: Spread): number | null =>
  ours.medianMs === null || peer.medianMs === null ? null : ours.medianMs / peer.medianMs

/** Whether every run went well, and quickly enough in the median. */
export const meets = ({ medianMs, runs }: Spread, goalMs: number): boolean =>
  medianMs !== null && medianMs <= goalMs && runs.every(({ problems }) => problems.length === 0)

function summarise(event: Event, runs: Readonly<Record<Contender, readonly (Run | Failed)[]>>): Result {
  const { name, title, goalMs, peerGoal = null } = event
  const ours = spreadOf(runs.understudy)
  const beside = runs.default.length > 0
  const peer = beside ? { default: spreadOf(runs.default), fastest: spreadOf(runs.fastest) } : null
  const ratio = peer && ratioTo(ours, peer.default)
  return {
    ...{ name, title, goalMs, peerGoal, ...ours, peer, load: loadavg()[0] ?? 0 },
    goalMet:
      meets(ours, goalMs) && (peer === null || peerGoal === null || (ratio !== null && ratio <= peerGoal)),
  }
}

/** Keeps a cluster in order for the next run: one that does not recover is replaced by a new one. */
export class Renewable<T extends Cluster> {
  #stage: Promise<T> | null = null
  readonly #build: () => Promise<T>

  constructor(build: () => Promise<T>) {
    this.#build = build
  }

  /** Does something with the cluster. One that it fails with is not used again. */
  async use<R>(work: (stage: T) => Promise<R>): Promise<R> {
    this.#stage ??= this.#build()
    try {
      return await work(await this.#stage)
    } catch (error) {
      this.#stage = null
      throw error
    }
  }

  async run(event: Event, number: number, ready: (stage: T) => Promise<void>): Promise<Run | Failed> {
    try {
      return await this.use(async (stage) => {
        await ready(stage)
        return await runOnce(stage, event, number)
      })
    } catch (error) {
      return { gapMs: null, problems: [explain(error)] }
    }
  }
}

/** Measures. A cluster that does not recover is a failed run. */
export async function benchFailover({
  events,
  runs,
  suite,
  peer,
  log,
  seen,
}: BenchOptions): Promise<Result[]> {
  const ours = new Renewable(() => Stage.build(suite, log))
  const theirs = new Renewable(() => PeerStage.build(suite, log))
  const settings = Object.keys(peerTimes) as PeerSettings[]
  const results: Result[] = []
  for (const event of events) {
    const measured: Record<Contender, (Run | Failed)[]> = { understudy: [], default: [], fastest: [] }
    const note = (contender: Contender, number: number, run: Run | Failed): void => {
      measured[contender].push(run)
      seen(event, contender, number, run)
    }
    for (let number = 0; number < runs; number++) {
      note('understudy', number, await ours.run(event, number, async () => {}))
      if (!peer) continue
      for (const setting of settings)
        note(setting, number, await theirs.run(event, number, (stage) => stage.use(setting)))
    }
    results.push(summarise(event, measured))
  }
  return results
}
