import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type ConfirmedFacts,
  type ConfirmedPlan,
  decideConfirmed,
} from '../../../lib/postgresql/decide-confirmed.ts'
import { commitRule, NO_WAIT } from '../../../lib/postgresql/decide-durability.ts'
import { formatLsn, parseLsn } from '../../../lib/postgresql/lsn.ts'
import type { Confirmed } from '../../../lib/postgresql/manifest.ts'
import { type Case, table } from '../support/table.ts'

const confirmed = (timeline: number, lsn: string, standbys = 1): Confirmed => ({
  ...{ schema: 1, node: 'n1', timeline, lsn, standbys },
})
/** n1 is the primary; n2 is a little ahead of n3. */
const base: ConfirmedFacts = {
  node: 'n1',
  timeline: 3,
  commit: commitRule(['n2', 'n3']),
  streams: [
    { name: 'n2', replayed: 0x500n },
    { name: 'n3', replayed: 0x400n },
  ],
  checkpoint: 0x300n,
  recorded: confirmed(3, '0/480'),
}
const record = (why: string, lsn: string, standbys = 1, timeline = 3) => ({
  ...{ do: 'record' as const, why, confirmed: confirmed(timeline, lsn, standbys) },
})
const nothing = (why: string, reached: boolean) => ({ do: 'nothing' as const, why, reached })

const cases: readonly Case<ConfirmedFacts, ConfirmedPlan>[] = [
  ['One of two standbys is enough: the further one', {}, record('1 standbys have it', '0/500')],
  ['Nothing was recorded before', { recorded: null }, record('1 standbys', '0/500')],
  ['It has not moved', { recorded: confirmed(3, '0/500') }, nothing('recorded already', true)],
  [
    'It has not moved, and was recorded under another rule',
    { recorded: confirmed(3, '0/500', 2) },
    nothing('recorded already', true),
  ],
  ['It never goes backwards', { recorded: confirmed(3, '0/501') }, nothing('recorded already', false)],
  ['A new timeline begins lower', { recorded: confirmed(2, '0/900') }, record('1 standbys', '0/500')],
  ['A later timeline than ours', { recorded: confirmed(4, '0/1') }, nothing('recorded already', false)],
  [
    'Two of four must have it: the second furthest',
    {
      commit: commitRule(['n2', 'n3', 'n4', 'n5']),
      streams: [0x600n, 0x700n, 0x500n].map((replayed, index) => ({ name: `n${index + 2}`, replayed })),
    },
    record('2 standbys', '0/600', 2),
  ],
  [
    'A standby that does not count says nothing',
    { commit: commitRule(['n3']), recorded: null },
    record('1 standbys', '0/400'),
  ],
  ['Too few stream', { commit: commitRule(['n2', 'n3']), streams: [] }, nothing('too few', false)],
  ['A rule that nobody can meet', { commit: { standbys: [], count: 1 } }, nothing('too few', false)],
  [
    'Commits do not wait: what the primary has on its own disk',
    { commit: NO_WAIT, recorded: null },
    record('no standbys', '0/300', 0),
  ],
  [
    'Commits wait no more: what was confirmed before stays',
    { commit: NO_WAIT },
    nothing('recorded already', false),
  ],
]
describe('how far commits are confirmed', () => table(decideConfirmed, base, cases))

test('as many standbys as commits wait for have what is recorded, and one more byte has fewer', () => {
  const names = ['n2', 'n3', 'n4', 'n5']
  const facts = fc.record({
    commit: fc.subarray(names, { minLength: 1 }).map(commitRule),
    lsns: fc.array(fc.bigInt(1n, 9n), { minLength: 4, maxLength: 4 }),
  })
  fc.assert(
    fc.property(facts, ({ commit, lsns }) => {
      const streams = names.map((name, index) => ({ name, replayed: lsns[index] ?? 0n }))
      const plan = decideConfirmed({ ...base, commit, streams, recorded: null })
      assert.ok(plan.do === 'record')
      const recorded = parseLsn(plan.confirmed.lsn)
      const having = (least: bigint) =>
        streams.filter(({ name, replayed }) => commit.standbys.includes(name) && replayed >= least).length
      assert.ok(having(recorded) >= commit.count)
      assert.ok(having(recorded + 1n) < commit.count)
    }),
    { numRuns: 500 },
  )
})

test('a position is printed as PostgreSQL prints it, and read back', () => {
  assert.equal(formatLsn(0x16b374d848n), '16/B374D848')
  assert.equal(formatLsn(0n), '0/0')
  fc.assert(
    fc.property(fc.bigInt(0n, (1n << 64n) - 1n), (lsn) => assert.equal(parseLsn(formatLsn(lsn)), lsn)),
    { numRuns: 200 },
  )
})
