import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { decideKeep, type KeepFacts } from '../../../lib/tasks/decide-keep.ts'
import { timingOf } from '../../../lib/tasks/decide-timing.ts'

const quick: KeepFacts = {
  ours: true,
  askedMs: 10_000,
  answeredMs: 10_005,
  confirmedMs: 8000,
  timing: timingOf(15),
}

const cases: readonly (readonly [
  caption: string,
  facts: Partial<KeepFacts>,
  plan: ReturnType<typeof decideKeep>,
])[] = [
  ['it is ours', {}, 'confirm'],
  ['at the last moment', { answeredMs: 12_000 }, 'confirm'],
  ['the answer is from before a pause', { answeredMs: 12_001 }, 'again'],
  ['it is not ours', { ours: false }, 'lose'],
  ['it was not ours before a pause: that does not get better', { ours: false, answeredMs: 90_000 }, 'lose'],
  ['Consul does not answer', { ours: UNKNOWN, answeredMs: 12_000 }, 'again'],
  ['for as long as the watchdog waits', { ours: UNKNOWN, answeredMs: 16_000 }, 'again'],
  ['and longer', { ours: UNKNOWN, answeredMs: 16_001 }, 'lose'],
  ['an answer from before a long pause', { answeredMs: 70_000 }, 'lose'],
]
for (const [caption, facts, plan] of cases)
  test(caption, () => assert.equal(decideKeep({ ...quick, ...facts }), plan))
