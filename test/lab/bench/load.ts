/** A cluster whose processors all have too much to do: nobody may be taken for dead. */
import { setTimeout as pause } from 'node:timers/promises'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import type { Suite } from '../lib/state.ts'
import { LOOPS_PER_MACHINE, startBusyLoops } from './busy.ts'
import { longestGapMs } from './gap.ts'
import { Stage } from './stage.ts'
import { type Change, Watch } from './watch.ts'

export interface LoadResult {
  readonly minutes: number
  readonly loopsPerMachine: number
  readonly writes: number
  readonly longestGapMs: number
  /** Each time that a lock was taken, or another machine or timeline was published. */
  readonly failovers: readonly string[]
  /** Times that the lock was without a holder. */
  readonly lockReleases: number
  readonly lostWrites: number
  readonly goalMet: boolean
}

function describe({ key, at, lockIndex, value }: Change): string {
  const time = new Date(at).toISOString()
  return key === consulKeys.leader.path
    ? `${time} ${value.node} took the lock: epoch ${lockIndex}`
    : `${time} ${value.node} was published: epoch ${value.epoch}, timeline ${value.timeline}`
}

/** What changed between one state of each document and the next. */
function failoversIn(changes: readonly Change[]): string[] {
  return changes.flatMap((change, index) => {
    const before = changes.slice(0, index).findLast(({ key }) => key === change.key)
    if (before === undefined) return []
    const same =
      change.key === consulKeys.leader.path
        ? change.lockIndex === before.lockIndex
        : change.value.epoch === before.value.epoch && change.value.timeline === before.value.timeline
    return same ? [] : [describe(change)]
  })
}

/** Writes under load, and looks what the cluster makes of it. */
export async function benchLoad(options: {
  readonly minutes: number
  readonly suite: Suite
  readonly log: (line: string) => void
}): Promise<LoadResult> {
  const { minutes, suite, log } = options
  const stage = await Stage.build(suite, log)
  const { lab } = stage
  const { standbys } = await stage.untilHealthy()
  const writer = await stage.write()
  const watch = await Watch.start(lab, standbys[0])
  const stopLoops = startBusyLoops(lab)
  try {
    const at = Date.now()
    log(`${LOOPS_PER_MACHINE} busy loops on each machine for ${minutes} min`)
    await pause(minutes * 60_000)
    const gapMs = longestGapMs(writer.acknowledged, at, Date.now())
    stopLoops()
    await writer.stop()
    await stage.untilHealthy()
    const failovers = failoversIn(watch.changes)
    const lostWrites = await stage.countLost(writer)
    return {
      minutes,
      loopsPerMachine: LOOPS_PER_MACHINE,
      writes: writer.acknowledged.length,
      longestGapMs: gapMs,
      failovers,
      lockReleases: watch.changes.filter(({ key, held }) => key === consulKeys.leader.path && !held).length,
      lostWrites,
      goalMet: failovers.length === 0 && lostWrites === 0,
    }
  } finally {
    stopLoops()
    watch.stop()
    await writer.stop()
  }
}
