/** One event, once: what a client saw of it. */
import { setTimeout as pause } from 'node:timers/promises'
import { explain } from '../../../lib/core/errors.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import type { Writer } from '../lib/writer.ts'
import type { Event } from './events.ts'
import { longestGapMs } from './gap.ts'
import { type Milestones, milestonesOf } from './milestones.ts'
import type { Cluster, Scene } from './stage.ts'
import { Watch } from './watch.ts'

/** What one run gave. */
export interface Run {
  /** The longest time without an acknowledged write. */
  readonly gapMs: number
  /** What must not have been, one sentence each. */
  readonly problems: readonly string[]
  readonly milestones?: Milestones
}

/** An event may have its consequences only when a check or a time-out has run: so long, at least, it is watched. */
const WATCHED_MS = 15_000
/** And until the client has written for so long... */
const STEADY_MS = 5_000
/** ...with no gap longer than this. */
const STEADY_GAP_MS = 1_000
const RECOVERY_MS = 90_000
const PREPARE_TRIES = 5

/** Waits until a client has been writing again for a while. */
function untilSteady(writer: Writer, from: number): Promise<true> {
  return waitFor('the client writes again', WATCHED_MS + RECOVERY_MS, async () => {
    const now = Date.now()
    if (now - from < WATCHED_MS) return null
    return longestGapMs(writer.acknowledged, now - STEADY_MS, now) < STEADY_GAP_MS || null
  })
}

async function prepared(stage: Cluster, event: Event): Promise<Scene> {
  for (let left = PREPARE_TRIES; left > 0; left--) {
    const scene = await stage.untilHealthy()
    if (!event.prepare || (await event.prepare(scene))) return scene
  }
  throw new Error(`${event.title}: the cluster could not be brought into the state for it`)
}

/** Makes an event happen and undoes it. Throws where the cluster is not in order afterwards. */
export async function runOnce(stage: Cluster, event: Event, number: number): Promise<Run> {
  const scene = await prepared(stage, event)
  const watch =
    event.hasMilestones && stage.publishes ? await Watch.start(stage.lab, scene.standbys[0]) : undefined
  const writer = await stage.write()
  const problems: string[] = []
  try {
    const at = Date.now()
    await event.strike(scene, number)
    if (event.lastsMs !== undefined) {
      await pause(event.lastsMs)
      await event.heal(scene, number)
    }
    await untilSteady(writer, Date.now()).catch((error) => problems.push(explain(error)))
    const gapMs = longestGapMs(writer.acknowledged, at, Date.now())
    await writer.stop()
    const milestones = watch && (await milestonesOf(scene, at, watch, writer))
    if (event.lastsMs === undefined) await event.heal(scene, number)
    const after = await stage.untilHealthy()
    if (!event.mayFailOver && (after.primary !== scene.primary || after.timeline !== scene.timeline))
      problems.push(
        `the primary was ${scene.primary} with timeline ${scene.timeline}, and is ${after.primary} with ${after.timeline}`,
      )
    const lost = await stage.countLost(writer)
    if (lost > 0) problems.push(`${lost} of ${writer.acknowledged.length} acknowledged writes are lost`)
    return { gapMs, problems, ...(milestones ? { milestones } : {}) }
  } finally {
    watch?.stop()
    await writer.stop()
  }
}
