import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Violation } from '../../lab/faults/evidence.ts'
import { figureLines, figuresOf, type Played } from '../../lab/faults/figures.ts'

const outcome = { violations: [], recoveryMs: 1000, acknowledged: 100, lost: 0, doubled: 0 }
const violation = (rule: Violation['rule']): Violation => ({ rule, detail: '' })
const rounds: readonly Played[] = [
  { scenario: { steps: [{ fault: 'mute', on: 'primary' }] }, outcome },
  {
    scenario: {
      steps: [
        { fault: 'frozen', on: 'primary' },
        { fault: 'mute', on: 'standby' },
      ],
    },
    outcome: { ...outcome, violations: [violation('lost'), violation('double')], lost: 3, doubled: 1 },
  },
  {
    scenario: { steps: [{ fault: 'mute', on: 'standby' }] },
    outcome: { ...outcome, violations: [violation('not recovered')], recoveryMs: null },
  },
]

describe('the figures of a run', () => {
  test('are those of all rounds', () => {
    assert.deepEqual(figuresOf(rounds), {
      rounds: 3,
      broken: 2,
      singly: 2,
      together: 1,
      faults: { mute: 3, frozen: 1 },
      acknowledged: 300,
      lost: 3,
      doubled: 1,
      stuck: 1,
      longestRecoveryMs: 1000,
    })
  })

  test('are 0 before the first round', () => {
    assert.equal(figuresOf([]).longestRecoveryMs, 0)
  })

  test('can be read', () => {
    assert.deepEqual(figureLines(figuresOf(rounds)), [
      'rounds: 3 (one fault 2, several 1); a promise was broken in 2',
      'faults: mute 3, frozen 1',
      'writes acknowledged: 300, lost: 3, doubled: 1',
      'rounds in which the cluster got stuck: 1',
      'longest recovery after healing: 1.0 s',
    ])
  })
})
