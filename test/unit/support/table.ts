import assert from 'node:assert/strict'
import { test } from 'node:test'

/** A caption, the difference from the base facts, and the plan: `why` is a fragment, everything else must be equal. */
export type Case<Facts, Plan extends { do: string; why: string }> = readonly [
  caption: string,
  difference: Partial<Facts>,
  plan: { do: Plan['do']; why: string } & Readonly<Record<string, unknown>>,
]

/** One test for each case of a decision, numbered in the order of the table. */
export function table<Facts, Plan extends { do: string; why: string }>(
  decide: (facts: Facts) => Plan,
  base: Facts,
  cases: readonly Case<Facts, Plan>[],
): void {
  for (const [index, [caption, difference, expected]] of cases.entries()) {
    test(`${index + 1}. ${caption}`, () => {
      const { why, ...plan } = decide({ ...base, ...difference })
      const { why: fragment, ...rest } = expected
      assert.deepEqual(plan, rest, why)
      assert.ok(why.includes(fragment), `expected a reason with "${fragment}", got: ${why}`)
    })
  }
}
