import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Spread } from '../../lab/bench/failover.ts'
import type { Machines } from '../../lab/bench/idle.ts'
import { scaleLines } from '../../lab/bench/report.ts'
import { isInOrder, type Point } from '../../lab/bench/scale.ts'

const GOAL_MS = 4500

/** Machines by what is ours and by all that they use; what else they use does not matter. */
const using = (shares: readonly (readonly [ours: number, machine: number])[]): Machines => {
  const rest = { checks: 0, units: 0, sessions: 0, repmgrd: 0, consul: 0 }
  return Object.fromEntries(
    shares.map(([ours, machine], index) => [`n${index + 1}`, { ...rest, ours, machine }]),
  )
}
const took = (...gaps: readonly [number, number, number]): Spread => ({
  ...{ minMs: gaps[0], medianMs: gaps[1], maxMs: gaps[2] },
  runs: gaps.map((gapMs) => ({ gapMs, problems: [] })),
})
const BROKEN: Spread = {
  ...{ minMs: null, medianMs: null, maxMs: null },
  runs: [{ gapMs: null, problems: ['n1 did not rejoin'] }],
}
const small: Point = {
  ...{ size: 0, problems: [], failover: took(3000, 4000, 5000) },
  machines: using([
    [0.5, 2],
    [0.25, 3.5],
  ]),
}
const slow: Point = { ...small, size: 1000, failover: took(3000, 4600, 5000) }
const broken: Point = { size: 100_000, machines: null, failover: BROKEN, problems: ['the disk is full'] }

test('every point: the most of all machines at rest, the failovers, and what went wrong', () => {
  const curves = [{ name: 'files', title: 'files', points: [small, slow, broken] }]
  assert.deepEqual(scaleLines({ curves, goalMs: GOAL_MS, goalMet: false }), [
    '               ours, %  machine, %  failover   min   max  goal',
    '0 files           0.50        3.50      4.00  3.00  5.00  4.50     met',
    '1,000 files       0.50        3.50      4.60  3.00  5.00  4.50  MISSED',
    '100,000 files        -           -         -     -     -  4.50  MISSED',
    '100,000 files: the disk is full',
    '100,000 files: n1 did not rejoin',
  ])
})

test('a point is in order if its failovers are quick enough, and nothing else went wrong', () => {
  assert.equal(isInOrder(small, GOAL_MS), true)
  assert.equal(isInOrder(slow, GOAL_MS), false)
  assert.equal(isInOrder(broken, GOAL_MS), false)
  assert.equal(isInOrder({ ...small, problems: ['no minute could be measured'] }, GOAL_MS), false)
  const lost: Spread = { ...small.failover, runs: [{ gapMs: 4000, problems: ['1 write is lost'] }] }
  assert.equal(isInOrder({ ...small, failover: lost }, GOAL_MS), false)
})
