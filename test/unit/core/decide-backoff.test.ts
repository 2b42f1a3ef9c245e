import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { dueAtMs, type Failure, failedAttempts } from '../../../lib/core/decide-backoff.ts'
import { NOW } from '../support/documents.ts'

const LAST_MS = Date.parse(NOW)
const HOUR_MS = 3600 * 1000

const failed = (count: number, last = NOW): Failure => ({ count, since: NOW, last, reason: 'a test' })

const cases: readonly (readonly [caption: string, failure: Failure, seconds: number])[] = [
  ['failed once', failed(1), 5],
  ['failed twice', failed(2), 10],
  ['failed three times', failed(3), 20],
  ['failed four times', failed(4), 40],
  ['failed five times: the longest', failed(5), 60],
  ['failed for days', failed(2000), 60],
]

describe('when a work that has failed may be tried again', () => {
  for (const [caption, failure, seconds] of cases) {
    test(`${caption}: after ${seconds} s`, () =>
      assert.equal(dueAtMs(failure, LAST_MS + 1000), LAST_MS + seconds * 1000))
  }

  test('a clock that was set back since: at once', () =>
    assert.equal(dueAtMs(failed(3), LAST_MS - HOUR_MS), LAST_MS - HOUR_MS))
  test('at the very moment of the failure the clock was not set back', () =>
    assert.equal(dueAtMs(failed(1), LAST_MS), LAST_MS + 5000))
  test('a time that is none: at once', () => assert.equal(dueAtMs(failed(3, 'today'), LAST_MS), LAST_MS))

  test('it is never due later than a minute from now, and never sooner the more often it has failed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(HOUR_MS), (count, ageMs) => {
        const nowMs = LAST_MS + ageMs
        const due = dueAtMs(failed(count), nowMs)
        assert.ok(due <= nowMs + 60_000)
        assert.ok(due > LAST_MS)
        assert.ok(dueAtMs(failed(count + 1), nowMs) >= due)
      }),
    )
  })
})

for (const [count, text] of [
  [1, '1 attempt to rejoin has failed'],
  [2, '2 attempts to rejoin have failed'],
] as const)
  test(`${count}: ${text}`, () => assert.equal(failedAttempts(failed(count), 'to rejoin'), text))
