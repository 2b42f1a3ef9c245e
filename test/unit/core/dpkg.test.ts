import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLocked } from '../../../lib/core/dpkg.ts'

/** As Linux prints it: a lock, and one that waits for it. */
const locks = `1: POSIX  ADVISORY  WRITE 4711 08:01:131077 0 EOF
2: FLOCK  ADVISORY  WRITE 812 00:19:990 0 EOF
2: -> FLOCK  ADVISORY  WRITE 813 00:19:991 0 EOF
`

test('a lock is known by the inode of its file', () => {
  assert.ok(isLocked(locks, 131077))
  assert.ok(isLocked(locks, 990))
  for (const inode of [13107, 31077, 0, 4711, 991]) assert.ok(!isLocked(locks, inode), String(inode))
  assert.ok(!isLocked('', 131077))
})
