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
const old: CheckLine<Context, { due: boolean }> = {
  name: 'once-old',
  observe: async ({ consul, settings }) => {
    const last = readNote<number>(taskPaths.collected)
    if (last !== null && last <= Date.now() && Date.now() - last < COLLECT_EVERY_MS) return { due: false }
    const leader = await orUnknown(consul.leader())
    return { due: leader !== UNKNOWN && leadsConsul(leader, settings.address) }
  },
  decide: ({ due }) => ({ do: due ? 'collect' : 'nothing', why: 'once an hour', problems: [] }),
  async apply(plan, { settings }) {
    if (plan.do !== 'collect') return
    const isDone = await collectOutcomes(new Consul({ prefix: settings.kvPrefix, timeoutMs: LIST_MS }))
    if (isDone) replaceFile(taskPaths.collected, `${Date.now()}`)
  },
}

/** This component's lines of the periodic check. */
export const lines = [outcomes, old]
