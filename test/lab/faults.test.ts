/**
 * Faults of every kind, with clients on every machine: promises S1 to S8. `npm run faults -- --all` plays all scenarios,
 * this plays those that have `inTests`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { randomOf, seedOf } from './faults/random.ts'
import { saveReport, timelineOf } from './faults/report.ts'
import { playRound } from './faults/round.ts'
import { byCluster } from './faults/scenario.ts'
import { scenarios } from './faults/scenarios.ts'
import { Stage } from './faults/stage.ts'
import { suites } from './lib/state.ts'

const name = 'faults'
const SEED = 1

for (const suite of suites)
  for (const [cluster, group] of byCluster(scenarios.filter(({ inTests }) => inTests?.includes(suite))))
    describe(`faults: ${suite}, ${cluster.machines} machines, ${cluster.durability}`, () => {
      const open = (): Promise<Stage> => Stage.open({ name, suite, cluster, tell: console.log })
      let stage: Stage
      /** After a round that left the cluster in disorder the next one gets a new one. */
      let usable = false

      before(async () => {
        stage = await open()
        usable = true
      })
      after(() => stage?.close())

      for (const scenario of group) {
        test(scenario.name, async () => {
          if (!usable) {
            await stage.close()
            stage = await open()
          }
          usable = false
          const { violations, gapMs, recoveryMs, isUsable } = await playRound(
            stage,
            scenario,
            randomOf(seedOf(SEED, scenario.name)),
          )
          console.log(
            `${scenario.name}: longest gap ${Math.round(gapMs)} ms, in order ${Math.round(recoveryMs ?? -1)} ms after healing began`,
          )
          usable = isUsable
          if (violations.length === 0) return
          console.log(timelineOf(stage))
          const found = violations.map(({ rule, detail }) => `${rule}: ${detail}`).join('\n')
          assert.fail(`${found}\nlogs: ${await saveReport(stage)}`)
        })
      }
    })
