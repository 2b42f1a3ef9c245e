import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needsRoot, requireRoot } from '../../../lib/core/root.ts'

const cases: readonly (readonly [caption: string, parts: Parameters<typeof needsRoot>, message: string])[] = [
  ['nothing more', [], 'this command needs root; run it with sudo'],
  [
    'with a reason',
    ['only root can read the passwords'],
    'this command needs root, because only root can read the passwords; run it with sudo',
  ],
  [
    'with a reason and something else to do',
    ['only root can stop it', 'put runuser before it'],
    'this command needs root, because only root can stop it; run it with sudo, and put runuser before it',
  ],
]
for (const [caption, parts, message] of cases)
  test(caption, () => {
    const { message: said, exitCode } = needsRoot(...parts)
    assert.deepEqual({ said, exitCode }, { said: message, exitCode: 78 })
  })

test('only root goes on', (t) => {
  const getuid = process.getuid as () => number
  t.after(() => {
    process.getuid = getuid
  })
  process.getuid = () => 0
  assert.doesNotThrow(() => requireRoot())
  process.getuid = () => 1000
  assert.throws(() => requireRoot('x'), { message: needsRoot('x').message, exitCode: 78 })
})
