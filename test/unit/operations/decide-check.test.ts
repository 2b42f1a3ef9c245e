import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CheckLine, CheckPlan } from '../../../lib/core/component.ts'
import { decideCheck, LOOK_AGAIN_MS, type Looked, looksAgain } from '../../../lib/operations/decide-check.ts'

interface Water {
  litres: number
}

/** A line of a made-up component. */
const line = (name: string): CheckLine<null> => ({
  name,
  observe: async () => ({ litres: 0 }),
  decide(facts): CheckPlan {
    const { litres } = facts as Water
    if (litres === 0) return { do: 'fill', why: 'empty', problems: [`${name} is empty`] }
    if (litres < 3) return { do: 'nothing', why: 'low', problems: [`${name} is low`] }
    if (litres > 9) return { do: 'drain', why: 'full', problems: [] }
    return { do: 'nothing', why: 'well', problems: [] }
  },
  apply: async () => {},
})
const [kettle, barrel] = [line('kettle'), line('barrel')]
const holds = (one: CheckLine<null>, litres: number): Looked<null> => ({
  line: one,
  seen: { facts: { litres } },
})
const blind: Looked<null> = { line: barrel, seen: { error: 'could not look' } }

const cases: readonly (readonly [
  caption: string,
  looked: readonly Looked<null>[],
  plan: { do: string; why: string; settled: boolean },
  lines: readonly CheckPlan['do'][],
])[] = [
  ['there are no lines', [], { do: 'nothing', why: 'no problem was found', settled: true }, []],
  [
    'nothing to do',
    [holds(kettle, 5), holds(barrel, 5)],
    { do: 'nothing', why: 'no problem was found', settled: true },
    ['nothing', 'nothing'],
  ],
  [
    'one line has a problem and a repair',
    [holds(kettle, 0), holds(barrel, 5)],
    { do: 'repair', why: 'kettle is empty', settled: false },
    ['fill', 'nothing'],
  ],
  [
    'a problem that nothing here repairs',
    [holds(kettle, 5), holds(barrel, 1)],
    { do: 'nothing', why: 'barrel is low', settled: false },
    ['nothing', 'nothing'],
  ],
  [
    'a repair without a problem',
    [holds(kettle, 10)],
    { do: 'repair', why: 'no problem was found', settled: false },
    ['drain'],
  ],
  [
    'all problems are reported, in the order of the lines',
    [holds(barrel, 1), holds(kettle, 0)],
    { do: 'repair', why: 'barrel is low; kettle is empty', settled: false },
    ['nothing', 'fill'],
  ],
  [
    'a line that could not look does not keep the others from their work',
    [blind, holds(kettle, 0)],
    { do: 'repair', why: 'barrel: could not look; kettle is empty', settled: false },
    ['nothing', 'fill'],
  ],
  [
    'a line that could not look is a problem, and no repair',
    [blind],
    { do: 'nothing', why: 'barrel: could not look', settled: false },
    ['nothing'],
  ],
]

describe('what the periodic check does', () => {
  for (const [caption, looked, expected, steps] of cases)
    test(caption, () => {
      const { lines, ...plan } = decideCheck({ looked })
      assert.deepEqual(plan, expected)
      assert.deepEqual(
        lines.map(({ plan: { do: step } }) => step),
        steps,
      )
      assert.deepEqual(
        lines.map((one) => one.line),
        looked.map((one) => one.line),
      )
    })

  test('a line that could not look reports it', () => {
    const [decided] = decideCheck({ looked: [blind] }).lines
    assert.deepEqual(decided?.plan.problems, ['barrel: could not look'])
  })
})

test('a line may say itself whether another look would decide the same', () => {
  const says = (settled: boolean, what: string, problems: string[] = []): Looked<null> => ({
    line: { ...kettle, decide: () => ({ do: what, why: 'so', problems, settled }) },
    seen: { facts: {} },
  })
  for (const [looked, settled] of [
    [says(true, 'start'), true],
    [says(false, 'nothing'), false],
    [says(true, 'start', ['it leaks']), false],
  ] as const)
    assert.equal(decideCheck({ looked: [looked, holds(barrel, 5)] }).settled, settled)
})

describe('whether the periodic check looks again', () => {
  const base = { problems: 1, round: 1, elapsedMs: LOOK_AGAIN_MS - 1 }
  for (const [caption, difference, expected] of [
    ['there is a problem', {}, true],
    ['there is none', { problems: 0 }, false],
    ['it has looked twice', { round: 2 }, false],
    ['the first look took long', { elapsedMs: LOOK_AGAIN_MS }, false],
  ] as const)
    test(`${expected ? 'yes' : 'no'}: ${caption}`, () =>
      assert.equal(looksAgain({ ...base, ...difference }), expected))
})

test('check: a line that throws while it decides is a problem of its own, and the others go on', () => {
  const broken: CheckLine<null> = {
    ...line('broken'),
    decide() {
      throw new TypeError('a mistake')
    },
  }
  const { do: what, lines } = decideCheck({ looked: [holds(broken, 1), holds(kettle, 0)] })
  assert.equal(what, 'repair')
  assert.deepEqual(
    lines.flatMap(({ plan }) => plan.problems),
    ['broken: a mistake', 'kettle is empty'],
  )
})
