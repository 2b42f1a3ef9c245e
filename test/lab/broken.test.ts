/** The verdict of the fault test on builds that lack a safeguard: it has to find them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BrokenBuild, breakBuild, brokenBuilds } from './faults/broken-builds.ts'
import { randomOf } from './faults/random.ts'
import { saveReport, timelineOf } from './faults/report.ts'
import { playRound, RECOVERY_MS } from './faults/round.ts'
import { Stage } from './faults/stage.ts'

const SEED = 1
/** What these builds break is seen by then; they need not get in order again, except where it is that clients waited. */
const SEEN_MS = 30_000

const patienceFor = ({ broken }: BrokenBuild): number =>
  broken === 'too slow' || broken === 'unexpected' ? RECOVERY_MS : SEEN_MS

describe('builds that are broken on purpose', () => {
  for (const build of brokenBuilds) {
    test(`${build.name}: ${build.scenario.name} finds it`, async () => {
      const stage = await Stage.open({
        name: 'faults-broken',
        tell: console.log,
        prepare: (lab) => breakBuild(lab, build),
      })
      try {
        const { violations } = await playRound(stage, build.scenario, randomOf(SEED), patienceFor(build))
        const rules = violations.map(({ rule }) => rule)
        if (rules.includes(build.broken)) return
        console.log(timelineOf(stage))
        assert.fail(`found: ${rules.join(', ') || 'nothing'}; logs: ${await saveReport(stage)}`)
      } finally {
        await stage.close()
      }
    })
  }
})
