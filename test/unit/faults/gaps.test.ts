import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attempt } from '../../lab/faults/evidence.ts'
import { gapsOf, longestGapMs } from '../../lab/faults/gaps.ts'

const at = (writer: string, ...times: readonly number[]): Attempt[] =>
  times.map((time) => ({
    writer,
    value: time,
    sentAt: time - 5,
    acknowledged: { at: time, server: 'n1', timeline: 1 },
  }))
const unanswered: Attempt = { writer: 'a', value: 0, sentAt: 1500, acknowledged: null }
const between = { from: 1000, to: 9000 }

const cases: readonly [caption: string, attempts: Attempt[], longestMs: number][] = [
  ['From one to the next', at('a', 1000, 2000, 5000, 9000), 4000],
  ['Nothing at all', [], 8000],
  ['It begins where the time begins', at('a', 500, 4000, 9000), 5000],
  ['It ends where the time ends', at('a', 1000, 2000), 7000],
  ['Another client does not count', [...at('a', 1000, 9000), ...at('b', 5000)], 8000],
  ['What was not acknowledged does not count', [...at('a', 1000, 9000), unanswered], 8000],
  ['A late answer is not in the order of its sending', at('a', 5000, 3000, 7000), 2000],
]

describe('gaps between acknowledgements', () => {
  for (const [caption, attempts, longestMs] of cases) {
    test(caption, () => assert.equal(longestGapMs(attempts, 'a', between), longestMs))
  }

  test('short ones are left out', () => {
    assert.deepEqual(gapsOf(at('a', 1000, 2000, 5000, 8900), 'a', between, 1000), [
      { from: 1000, ms: 1000 },
      { from: 2000, ms: 3000 },
      { from: 5000, ms: 3900 },
    ])
  })
})
