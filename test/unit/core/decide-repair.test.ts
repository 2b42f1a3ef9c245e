import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckPlan } from '../../../lib/core/component.ts'
import { decideRepair } from '../../../lib/core/decide-repair.ts'

type Lamp = { do: 'nothing' | 'light' | 'snuff'; why: string }
const wrongs = { light: 'the lamp is dark', snuff: 'the lamp burns' }

const cases: readonly (readonly [caption: string, plan: Lamp, expected: CheckPlan])[] = [
  [
    'there is nothing to repair',
    { do: 'nothing', why: 'it is day' },
    { do: 'nothing', why: 'it is day', problems: [] },
  ],
  [
    'something is repaired',
    { do: 'light', why: 'it is night' },
    { do: 'light', why: 'it is night', problems: ['the lamp is dark, and is being repaired: it is night'] },
  ],
  [
    'something else is wrong',
    { do: 'snuff', why: 'it is day' },
    { do: 'snuff', why: 'it is day', problems: ['the lamp burns, and is being repaired: it is day'] },
  ],
]
for (const [caption, plan, expected] of cases)
  test(caption, () => assert.deepEqual(decideRepair(plan, wrongs), expected))
