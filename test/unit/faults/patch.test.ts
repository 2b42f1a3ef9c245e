import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { applyPatch } from '../../lab/faults/patch.ts'

describe('patches of built handlers', () => {
  test('every place is changed', () => {
    assert.equal(applyPatch('a(b) a(c)', { from: /a\((\w)\)/g, to: 'x($1)' }), 'x(b) x(c)')
  })

  test('one that finds nothing is an error', () => {
    assert.throws(() => applyPatch('a', { from: /b/g, to: 'c' }), /finds nothing to change: \/b\/g/)
  })
})
