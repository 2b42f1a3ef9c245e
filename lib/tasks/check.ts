import { Consul } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { leadsConsul } from '../consul/leadership.ts'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import type { CheckLine } from '../core/component.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { collectOutcomes } from './collect.ts'
import { taskPaths } from './manifest.ts'
import { keptOutcomes, sendOutcome } from './outbox.ts'

/** How often old outcomes are looked for. */
const COLLECT_EVERY_MS = 3600_000
/** A hundred thousand outcomes are some ten megabytes. */
const LIST_MS = 8000

/** Outcomes that Consul did not take when their tasks ended. */
const outcomes: CheckLine<Context, { kept: string[] }> = {
  name: 'once',
  observe: async () => ({ kept: keptOutcomes() }),
  decide: ({ kept }) => ({
    do: kept.length === 0 ? 'nothing' : 'send',
    why: kept.length === 0 ? 'Consul has every outcome' : 'Consul lacks outcomes',
    problems: [],
  }),
  async apply(plan, { consul }) {
    if (plan.do !== 'send') return
    for (const runId of keptOutcomes()) if ((await orUnknown(sendOutcome(consul, runId))) === UNKNOWN) return
  },
}

/** Old outcomes are removed by one machine: the one whose Consul leads. */
const old: CheckLine<Context, { lastMs: number | null; nowMs: number }> = {
  name: 'once-old',
  observe: async () => ({ lastMs: readNote<number>(taskPaths.collected), nowMs: Date.now() }),
  decide({ lastMs, nowMs }) {
    const isDue = lastMs === null || lastMs > nowMs || nowMs - lastMs >= COLLECT_EVERY_MS
    return {
      do: isDue ? 'collect' : 'nothing',
      why: 'outcomes are looked through once an hour',
      problems: [],
    }
  },
  async apply(plan, { settings, consul }) {
    if (plan.do !== 'collect') return
    const leader = await orUnknown(consul.leader())
    if (leader === UNKNOWN) return
    const isOurs = leadsConsul(leader, settings.address)
    const patient = new Consul({ prefix: settings.kvPrefix, timeoutMs: LIST_MS })
    if (!isOurs || (await collectOutcomes(patient))) replaceFile(taskPaths.collected, `${Date.now()}`)
  },
}

/** This component's lines of the periodic check. */
export const lines = [outcomes, old]
