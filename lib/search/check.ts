import { statSync } from 'node:fs'
import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import type { CheckLine } from '../core/component.ts'
import { keepQuestion } from '../core/questions.ts'
import { queueUnit, unitStates } from '../core/systemd.ts'
import { orUnknown } from '../core/unknown.ts'
import {
  decideSearchCheck,
  type SearchCheckFacts,
  type SearchCheckPlan,
  type SearchReport,
} from './decide-check.ts'
import { searchPaths, searchUnits } from './manifest.ts'
import { readConfigured } from './observe.ts'

/** Who changes the list of the servers by hand finds it as it was after it. */
const LOOKED_MS = 600_000
/** What every run of the handler writes anew. */
const VARIES = '"at":[^,}]*'

/** Does the search server of this machine know the members? */
const members: CheckLine<Context, SearchCheckFacts, SearchCheckPlan> = {
  name: 'search-members',
  async observe({ settings: { search: mode = null }, consul }) {
    const { members: unit } = searchUnits
    const [seats, states] = await Promise.all([orUnknown(consul.get(consulKeys.seats)), unitStates([unit])])
    keepQuestion('renew', searchPaths.report, LOOKED_MS / 1000, unit)
    return {
      mode,
      configured: readConfigured(),
      seats: valueIn(seats),
      ...readReport(),
      failed: states.get(unit) === 'failed',
    }
  },
  decide: decideSearchCheck,
  async apply(plan) {
    if (plan.do === 'start') await queueUnit('start', searchUnits.members)
  },
}

function readReport(): { report: SearchReport | null; isOld: boolean } {
  keepQuestion('file', searchPaths.report, VARIES)
  const age = Date.now() - (statSync(searchPaths.report, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  try {
    const report = JSON.parse(readText(searchPaths.report) ?? 'null') as SearchReport | null
    return { report, isOld: age > LOOKED_MS }
  } catch {
    return { report: null, isOld: true }
  }
}

/** This component's lines of the periodic check. */
export const lines = [members]
