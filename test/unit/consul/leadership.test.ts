import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currentPrimary, type Leadership } from '../../../lib/consul/leadership.ts'
import { leadOfN1, leadOfN2, lock, lockReleased, lockTaken, published } from '../support/documents.ts'

const cases: readonly (readonly [caption: string, leadership: Leadership, node: string | null])[] = [
  ['published, and it holds the lock', leadOfN1, 'n1'],
  ['after a failover the new one', leadOfN2, 'n2'],
  ['the lock was never taken', { leader: null, primary: published('n1', 3, 7) }, null],
  ['nothing was published yet', { leader: lock('n1', 'session-n1', 7), primary: null }, null],
  ['the lock was released', lockReleased, null],
  ['another machine has taken the lock', lockTaken, null],
  [
    'the same machine has taken the lock anew and is not published under it yet',
    { leader: lock('n1', 'session-n1-later', 8), primary: published('n1', 3, 7) },
    null,
  ],
  [
    'published under a later acquisition than the lock we read (the two reads were torn)',
    { leader: lock('n1', 'session-n1', 7), primary: published('n1', 3, 8) },
    null,
  ],
  [
    'another machine was published under the same number',
    { leader: lock('n1', 'session-n1', 7), primary: published('n2', 3, 7) },
    null,
  ],
]

for (const [index, [caption, leadership, node]] of cases.entries()) {
  test(`${index + 1}. ${caption}`, () => assert.equal(currentPrimary(leadership)?.node ?? null, node))
}
