import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currentPrimary, type Leadership, unlockedPrimary } from '../../../lib/consul/leadership.ts'
import {
  leadOfN1,
  leadOfN2,
  lock,
  lockReleased,
  lockTaken,
  published,
  publishedBefore,
} from '../support/documents.ts'

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
  [
    'published by a build that knew LockIndex only',
    { leader: lock('n1', 'session-n1', 7), primary: publishedBefore('n1', 3, 7) },
    'n1',
  ],
  [
    'the same, and the lock was taken anew',
    { leader: lock('n1', 'session-n1', 8), primary: publishedBefore('n1', 3, 7) },
    null,
  ],
  [
    'the key was deleted and the lock taken anew, so that LockIndex has come back to the number of the publication',
    {
      leader: { ...lock('n1', 'session-n1-later', 7), modifyIndex: 110 },
      primary: published('n1', 3, 7),
    },
    null,
  ],
]

for (const [index, [caption, leadership, node]] of cases.entries()) {
  test(`${index + 1}. ${caption}`, () => assert.equal(currentPrimary(leadership)?.node ?? null, node))
}

test('whichever build publishes, the epoch of the primary only grows', () => {
  const epochs = [
    { leader: lock('n1', 'session-n1', 7), primary: publishedBefore('n1', 3, 7) },
    { leader: lock('n1', 'session-n1', 7), primary: published('n1', 3, 7) },
    { leader: lock('n2', 'session-n2', 8), primary: publishedBefore('n2', 4, 8) },
    { leader: lock('n1', 'session-n1', 9), primary: published('n1', 5, 9) },
  ].map((leadership) => currentPrimary(leadership)?.index)
  assert.deepEqual(epochs, [107, 107, 108, 109])
})

test('a primary that serves without its lock: only LockIndex is still that of the publication', () => {
  const freed = { ...lock('n1', null, 7), modifyIndex: 111 }
  assert.equal(unlockedPrimary({ leader: freed, primary: published('n1', 3, 7) })?.node, 'n1')
  assert.equal(unlockedPrimary({ leader: freed, primary: publishedBefore('n1', 3, 7) })?.node, 'n1')
  assert.equal(unlockedPrimary({ leader: { ...freed, lockIndex: 8 }, primary: published('n1', 3, 7) }), null)
})
