import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { bytes, duration } from '../../../lib/core/text.ts'
import { copyText, lackText } from '../../../lib/files/decide-copy.ts'

describe('copyText', () => {
  for (const [state, files, size, text] of [
    ['in-sync', 0, 0, 'in sync'],
    ['behind', 1, 20, 'behind 1 file (20 B)'],
    ['behind', 3, 1.5 * 1024 ** 2, 'behind 3 files (1.5 MiB)'],
    ['behind', 2, 0, 'behind 2 files (0 B)'],
    ['disconnected', 0, 0, 'disconnected'],
    ['disconnected', 3, 1536, 'disconnected, behind 3 files (1.5 KiB)'],
    ['not-shared', 0, 0, 'not shared'],
    ['not-shared', 1, 1024, 'not shared, behind 1 file (1 KiB)'],
    ['failing', 0, 0, 'failing'],
    ['failing', 1, 1536, 'failing, behind 1 file (1.5 KiB)'],
    ['stopped', 0, 0, 'stopped'],
    ['stopped', 2, 0, 'stopped, behind 2 files (0 B)'],
  ] as const) {
    test(text, () => assert.equal(copyText({ state, files, bytes: size }), text))
  }
})

describe('lackText', () => {
  for (const [files, size, text] of [
    [1, 0, '1 file (0 B)'],
    [2, 1023, '2 files (1023 B)'],
    [21, 16 * 1024 ** 2, '21 files (16 MiB)'],
  ] as const) {
    test(text, () => assert.equal(lackText({ files, bytes: size }), text))
  }
})

describe('bytes', () => {
  for (const [count, text] of [
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1025, '1 KiB'],
    [1536, '1.5 KiB'],
    // The last of which two digits are said, and the first that is rounded to a whole number.
    [9.94 * 1024, '9.9 KiB'],
    [9.96 * 1024, '10 KiB'],
    [10.4 * 1024, '10 KiB'],
    [16 * 1024 ** 2, '16 MiB'],
    [2.25 * 1024 ** 3, '2.3 GiB'],
    // Just below a unit: 1024 of one is 1 of the next.
    [1023.4 * 1024, '1023 KiB'],
    [1023.5 * 1024, '1 MiB'],
    [1024 ** 2 - 1, '1 MiB'],
    [1024 ** 2, '1 MiB'],
    [1023.4 * 1024 ** 2, '1023 MiB'],
    [1024 ** 3 - 1, '1 GiB'],
    [1024 ** 4 - 1, '1 TiB'],
    // There is no unit above.
    [1023.5 * 1024 ** 4, '1024 TiB'],
    [5000 * 1024 ** 4, '5000 TiB'],
  ] as const) {
    test(`${count} is ${text}`, () => assert.equal(bytes(count), text))
  }

  test('No number is longer than four digits, and more bytes are never fewer', () => {
    const sizes = fc.oneof(
      fc.maxSafeNat(),
      // Around what begins a unit.
      fc
        .tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: -2000, max: 2000 }))
        .map(([power, more]) => Math.max(0, 1024 ** power + more)),
    )
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
    const sizeOf = (text: string): number => {
      const [, number, unit] = text.match(/^(\d{1,4}|\d\.\d) (\S+)$/) ?? assert.fail(text)
      assert.ok(Number(number) < 1024 || unit === 'TiB', text)
      return Number(number) * 1024 ** units.indexOf(unit ?? '')
    }
    fc.assert(
      fc.property(sizes, sizes, (a, b) => {
        assert.ok(sizeOf(bytes(Math.min(a, b))) <= sizeOf(bytes(Math.max(a, b))))
      }),
    )
  })
})

describe('duration', () => {
  for (const [seconds, text] of [
    [-3, '0 s'],
    [59.9, '59 s'],
    [60, '1 min'],
    [3 * 3600 + 20 * 60, '3 h 20 min'],
    [9 * 86_400 + 4 * 3600, '9 d 4 h'],
  ] as const) {
    test(text, () => assert.equal(duration(seconds), text))
  }
})
