import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseSynchronous, renderSynchronous } from '../../../lib/postgresql/config-synchronous.ts'
import { type CommitRule, HOLD, NO_WAIT } from '../../../lib/postgresql/decide-durability.ts'

const rendered: readonly [caption: string, rule: CommitRule, text: string][] = [
  ['none', NO_WAIT, ''],
  ['one', { standbys: ['n2'], count: 1 }, 'ANY 1 ("n2")'],
  ['one of two', { standbys: ['n2', 'n3'], count: 1 }, 'ANY 1 ("n2", "n3")'],
  ['two of four', { standbys: ['n2', 'n3', 'n4', 'n5'], count: 2 }, 'ANY 2 ("n2", "n3", "n4", "n5")'],
  ['all are held', HOLD, 'ANY 1 ("understudy: this is being changed")'],
  ['a name that only quotes make a word', { standbys: ['db-2'], count: 1 }, 'ANY 1 ("db-2")'],
]

const parsed: readonly [caption: string, text: string, rule: CommitRule][] = [
  ['blanks around it', ' ANY 1 ("n2") \n', { standbys: ['n2'], count: 1 }],
  ['names without quotes', 'ANY 1 (n2,n3)', { standbys: ['n2', 'n3'], count: 1 }],
  ['everybody', '*', NO_WAIT],
  ['a list by priority', 'FIRST 1 ("n2", "n3")', NO_WAIT],
  ['a list of old', 'n2, n3', NO_WAIT],
  ['no number', 'ANY ("n2")', NO_WAIT],
  ['no names', 'ANY 1 ()', NO_WAIT],
]

describe('synchronous_standby_names', () => {
  for (const [caption, rule, text] of rendered) {
    test(`rendered and parsed: ${caption}`, () => {
      assert.equal(renderSynchronous(rule), text)
      assert.deepEqual(parseSynchronous(text), rule)
    })
  }

  for (const [caption, text, rule] of parsed) {
    test(`parsed: ${caption}`, () => assert.deepEqual(parseSynchronous(text), rule))
  }

  test('what is rendered is parsed as the same rule', () => {
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/)
    const rule = fc
      .uniqueArray(name, { minLength: 1, maxLength: 5 })
      .chain((standbys) => fc.integer({ min: 1, max: standbys.length }).map((count) => ({ standbys, count })))
    fc.assert(
      fc.property(rule, (given) => assert.deepEqual(parseSynchronous(renderSynchronous(given)), given)),
    )
  })
})
