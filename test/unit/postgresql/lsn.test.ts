import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseLsn } from '../../../lib/postgresql/lsn.ts'

describe('position in the write-ahead log', () => {
  const good: readonly (readonly [text: string, position: bigint])[] = [
    ['0/0', 0n],
    ['0/1', 1n],
    ['16/B374D848', 0x16b374d848n],
    ['16/b374d848', 0x16b374d848n],
    ['1/0', 0x100000000n],
    ['FFFFFFFF/FFFFFFFF', 0xffffffffffffffffn],
  ]
  for (const [text, position] of good) test(text, () => assert.equal(parseLsn(text), position))

  const bad = [
    '',
    '/',
    '0',
    '0/',
    '/0',
    '0/0/0',
    ' 0/0',
    '0/0\n',
    '0x1/0',
    'G/0',
    '123456789/0',
    '0/123456789',
    '-1/0',
  ]
  for (const text of bad) {
    test(`not ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseLsn(text), { name: 'TypeError', message: /not a position/ }))
  }

  test('a later position is greater: the high half counts first', () => {
    const half = fc.integer({ min: 0, max: 0xffffffff })
    const text = (high: number, low: number): string =>
      `${high.toString(16).toUpperCase()}/${low.toString(16)}`
    fc.assert(
      fc.property(half, half, half, half, (high1, low1, high2, low2) => {
        const later = high1 > high2 || (high1 === high2 && low1 > low2)
        assert.equal(parseLsn(text(high1, low1)) > parseLsn(text(high2, low2)), later)
      }),
    )
  })
})
