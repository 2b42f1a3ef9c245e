import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '../../../lib/consul/entry.ts'
import { decideCollect, KEEP_KEYS, KEEP_MS } from '../../../lib/tasks/decide-collect.ts'
import type { TaskRecord } from '../../../lib/tasks/manifest.ts'

const NOW_MS = Date.parse('2026-06-01T00:00:00Z')
const outcome = (state: TaskRecord['state'], ageMs: number): Entry<TaskRecord> => {
  const at = new Date(NOW_MS - ageMs).toISOString()
  const value: TaskRecord = {
    schema: 1,
    key: 'k',
    node: 'n1',
    run: 'a',
    since: at,
    ttl: 15,
    epoch: 1,
    state,
    ended: at,
  }
  return { value, modifyIndex: 1, lockIndex: 0, session: null }
}

test('done and failed ones that are old are forgotten, unknown ones never', () => {
  const entries = new Map([
    ['t/done', outcome('done', KEEP_MS + 1)],
    ['t/failed', outcome('failed', KEEP_MS + 2)],
    ['t/unknown', outcome('started', KEEP_MS * 12)],
    ['t/young', outcome('done', KEEP_MS)],
  ])
  assert.deepEqual(decideCollect(entries, NOW_MS), ['t/failed', 't/done'])
})

test('of too many the oldest go, unknown ones never', () => {
  const entries = new Map([['t/unknown', outcome('started', 9_999_999)]])
  for (let age = 0; age <= KEEP_KEYS; age += 1) entries.set(`t/${age}`, outcome('done', age))
  assert.deepEqual(decideCollect(entries, NOW_MS), [`t/${KEEP_KEYS}`, `t/${KEEP_KEYS - 1}`])
})
