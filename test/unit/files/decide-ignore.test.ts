import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ignoring } from '../../../lib/files/decide-ignore.ts'

/** As https://docs.syncthing.net/users/ignoring.html has them. */
const cases: readonly (readonly [
  patterns: readonly string[],
  ignored: readonly string[],
  not: readonly string[],
])[] = [
  [[], [], ['a', 'a/b']],
  [['foo'], ['foo', 'a/foo', 'foo/b', 'a/foo/b'], ['foo2', 'xfoo', 'fo']],
  [['/foo'], ['foo', 'foo/b'], ['a/foo', 'foo2']],
  [['*.sock'], ['x.sock', 'a/x.sock', '.sock'], ['x.socket', 'xsock']],
  [['te*ne'], ['telephone', 'a/telephone'], ['tele/phone']],
  [['te**ne'], ['telephone', 'tele/phone'], ['tel']],
  [['te??st'], ['tebest'], ['teb/st', 'test']],
  [
    ['a[0-9]', 'b[!0-9]'],
    ['a1', 'bx'],
    ['ax', 'b1', 'a'],
  ],
  [['*.{part,tmp}'], ['x.part', 'x.tmp'], ['x.{part,tmp}', 'x.']],
  [['(?i)README'], ['readme', 'README'], []],
  [['(?d)x', '(?d)(?i)y'], ['x', 'Y'], ['X']],
  [['!keep', 'k*'], ['kept'], ['keep', 'keep/a']],
  [['(?i)!keep', 'k*'], ['kept'], ['KEEP']],
  [
    ['a\\*b', 'c,d', 'e.f'],
    ['a*b', 'c,d', 'e.f'],
    ['axb', 'c', 'exf'],
  ],
  [['// a', '[z-a]', 'x'], ['x'], ['// a', 'a']],
  [['*'], ['a', 'a/b', 'new\nline'], []],
]

describe('whether Syncthing ignores a path', () => {
  for (const [patterns, ignored, not] of cases) {
    test(patterns.join(' ') || 'no pattern', () => {
      const isIgnored = ignoring(patterns)
      assert.deepEqual(ignored.filter(isIgnored), ignored)
      assert.deepEqual(not.filter(isIgnored), [])
    })
  }
})
