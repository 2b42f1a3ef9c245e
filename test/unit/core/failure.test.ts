import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { forgetFailure, readFailure, recordFailure } from '../../../lib/core/failure.ts'
import { NOW } from '../support/documents.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-failure-'))
const path = join(directory, 'failed.json')
after(() => rmSync(directory, { recursive: true }))
beforeEach(() => rmSync(path, { force: true }))

const NOW_MS = Date.parse(NOW)
const LATER = new Date(NOW_MS + 5000).toISOString()

describe('failures of a work', () => {
  test('there is none before the first', () => assert.equal(readFailure(path), null))

  test('the first', () => {
    recordFailure(path, 'no space', NOW_MS)
    assert.deepEqual(readFailure(path), { count: 1, since: NOW, last: NOW, reason: 'no space' })
  })

  test('each one more is counted, since the first, with the last reason', () => {
    recordFailure(path, 'no space', NOW_MS)
    recordFailure(path, 'no answer', NOW_MS + 5000)
    assert.deepEqual(readFailure(path), { count: 2, since: NOW, last: LATER, reason: 'no answer' })
  })

  test('a clock that was set back starts the time anew: a daemon that hangs must not wait an hour for its end', () => {
    recordFailure(path, 'no answer', NOW_MS + 3_600_000)
    recordFailure(path, 'no answer', NOW_MS)
    assert.deepEqual(readFailure(path), { count: 2, since: NOW, last: NOW, reason: 'no answer' })
  })

  test('of what a program said, the last line that is no hint', () => {
    const said =
      'pg_rewind ended with 1: connecting\npg_rewind: fatal: no such file\nHINT: look\n  DETAIL: there\n\n'
    recordFailure(path, said, NOW_MS)
    assert.equal(readFailure(path)?.reason, 'pg_rewind: fatal: no such file')
  })

  test('one line of hints alone is kept, and a long one is cut', () => {
    recordFailure(path, 'HINT: try again', NOW_MS)
    assert.equal(readFailure(path)?.reason, 'HINT: try again')
    recordFailure(path, 'x'.repeat(1000), NOW_MS)
    assert.equal(readFailure(path)?.reason.length, 250)
  })

  test('forgotten, also where there was none', () => {
    recordFailure(path, 'no space', NOW_MS)
    forgetFailure(path)
    forgetFailure(path)
    assert.equal(readFailure(path), null)
  })

  test('a file that cannot be read says nothing', () => {
    writeFileSync(path, '{ "count": 3,')
    assert.equal(readFailure(path), null)
  })
})
