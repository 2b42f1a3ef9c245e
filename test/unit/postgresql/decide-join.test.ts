import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkClock, chooseVersion } from '../../../lib/postgresql/decide-join.ts'

const BUILT = Date.UTC(2026, 0, 1)
const refused = (exitCode: number, message: RegExp) => ({ name: 'UnderstudyError', exitCode, message })

describe('join: the version of PostgreSQL', () => {
  const good: readonly (readonly [here: number[], wanted: number | null, chosen: number])[] = [
    [[17], null, 17],
    [[15, 17], null, 17],
    [[17], 17, 17],
    [[15, 17], 15, 15],
  ]
  for (const [here, wanted, chosen] of good)
    test(`of ${here} for ${wanted ?? 'a new cluster'}: ${chosen}`, () =>
      assert.equal(chooseVersion(here, wanted), chosen))

  const bad: readonly (readonly [here: number[], wanted: number | null, message: RegExp])[] = [
    [[], null, /no PostgreSQL cluster named main/],
    [[], 17, /no PostgreSQL cluster named main/],
    [[16], 17, /runs PostgreSQL 17, this machine has 16; install postgresql-17/],
    [[15, 16], 17, /this machine has 15, 16;/],
  ]
  for (const [here, wanted, message] of bad)
    test(`refused: ${wanted ?? 'a new cluster'} with ${here.join(', ') || 'none'}`, () =>
      assert.throws(() => chooseVersion(here, wanted), refused(78, message)))
})

describe('join: the clock', () => {
  test('five seconds off are borne', () => {
    checkClock(BUILT + 5000, BUILT)
    checkClock(BUILT, BUILT + 5000)
  })
  test('refused: one millisecond more', () => {
    assert.throws(() => checkClock(BUILT + 5001, BUILT), refused(78, /5 s ahead/))
    assert.throws(() => checkClock(BUILT, BUILT + 5001), refused(78, /5 s behind/))
  })
  test('refused: ahead', () =>
    assert.throws(() => checkClock(BUILT + 60_000, BUILT), refused(78, /60 s ahead of the primary's/)))
  test('refused: behind', () =>
    assert.throws(() => checkClock(BUILT, BUILT + 60_000), refused(78, /60 s behind the primary's/)))
})
