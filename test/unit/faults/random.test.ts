import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { randomOf, seedOf } from '../../lab/faults/random.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })

describe('chance that can be repeated', () => {
  test('the same seed gives the same choices, another one others', () => {
    const draw = (seed: number): number[] => {
      const random = randomOf(seed)
      return Array.from({ length: 20 }, () => random.integer(0, 1_000_000))
    }
    assert.deepEqual(draw(7), draw(7))
    assert.notDeepEqual(draw(7), draw(8))
    assert.notEqual(seedOf(7, 'one'), seedOf(7, 'two'))
    assert.notEqual(seedOf(7, 'one'), seedOf(8, 'one'))
  })

  test('numbers are within their bounds, and every one comes', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = randomOf(seed)
        const drawn = new Set(Array.from({ length: 200 }, () => random.integer(3, 6)))
        assert.deepEqual([...drawn].sort(), [3, 4, 5, 6])
      }),
    )
  })

  test('shuffling keeps every card', () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.nat()), (seed, cards) => {
        const numbers = (from: readonly number[]): number[] => [...from].sort((a, b) => a - b)
        assert.deepEqual(numbers(randomOf(seed).shuffle(cards)), numbers(cards))
      }),
    )
  })

  test('nothing can be chosen from nothing', () => {
    assert.throws(() => randomOf(1).pick([]), /nothing to choose from/)
  })
})
