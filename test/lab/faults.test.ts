/** Every fault on its own and some that overlap, with clients on every machine: promises S1 to S6 and S8. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { randomOf, seedOf } from './faults/random.ts'
import { saveReport, timelineOf } from './faults/report.ts'
import { playRound } from './faults/round.ts'
import { scenarios } from './faults/scenarios.ts'
import { Stage } from './faults/stage.ts'

const name = 'faults'
const SEED = 1
let stage: Stage
/** After a round that left the cluster in disorder the next one gets a new one. */
let usable = false

before(async () => {
  stage = await Stage.open(name, console.log)
  usable = true
})
after(() => stage?.close())

describe('faults', () => {
  for (const scenario of scenarios) {
    test(scenario.name, async () => {
      if (!usable) {
        await stage.close()
        stage = await Stage.open(name, console.log)
      }
      usable = false
      const { violations, gapMs, recoveryMs } = await playRound(
        stage,
        scenario,
        randomOf(seedOf(SEED, scenario.name)),
      )
      console.log(
        `${scenario.name}: longest gap ${Math.round(gapMs)} ms, in order ${Math.round(recoveryMs ?? -1)} ms after healing began`,
      )
      usable = violations.every(({ rule }) => rule === 'unexpected' || rule === 'too slow')
      if (violations.length === 0) return
      console.log(timelineOf(stage))
      const found = violations.map(({ rule, detail }) => `${rule}: ${detail}`).join('\n')
      assert.fail(`${found}\nlogs: ${await saveReport(stage)}`)
    })
  }
})
