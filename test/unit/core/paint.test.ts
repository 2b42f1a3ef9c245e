import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { paintFor } from '../../../lib/core/paint.ts'

describe('paintFor', () => {
  for (const [caption, isTTY, env, text] of [
    ['a terminal', true, {}, '\x1b[31mbad\x1b[39m'],
    ['no terminal', false, {}, 'bad'],
    ['a terminal that nobody wants in colour', true, { NO_COLOR: '1' }, 'bad'],
    ['an empty NO_COLOR forbids nothing', true, { NO_COLOR: '' }, '\x1b[31mbad\x1b[39m'],
    ['a terminal that has no colour', true, { TERM: 'dumb' }, 'bad'],
  ] as const) {
    test(caption, () => assert.equal(paintFor({ isTTY }, env).bad('bad'), text))
  }
})
