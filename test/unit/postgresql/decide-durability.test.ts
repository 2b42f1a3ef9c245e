import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DurabilityMode } from '../../../lib/consul/manifest.ts'
import {
  type CommitRule,
  type DurabilityFacts,
  type DurabilityPlan,
  decideDurability,
  type ElectionRule,
  HOLD,
  NO_WAIT,
  NOBODY,
} from '../../../lib/postgresql/decide-durability.ts'
import { type Case, table } from '../support/table.ts'
import { walk } from './model/durability-rules.ts'

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5']

/** '1 of n2 n3'. */
function parse(text: string): { number: number; names: string[] } {
  const [number, , ...names] = text.split(' ')
  return { number: Number(number), names }
}
function commit(text: string): CommitRule {
  const { number, names } = parse(text)
  if (text === 'hold') return HOLD
  return text === 'none' ? NO_WAIT : { count: number, standbys: names }
}
function election(text: string): ElectionRule {
  const { number, names } = parse(text)
  return text === 'nobody' ? NOBODY : { need: number, voters: names }
}
function describeStep(plan: DurabilityPlan): string {
  if (plan.do === 'nothing') return plan.why
  if (plan.do === 'commit')
    return plan.commit.count === 0
      ? 'commit none'
      : `commit ${plan.commit.count} of ${plan.commit.standbys.join(' ')}`
  const { voters, need } = plan.election
  return voters.length === 0 ? 'elect nobody' : `elect ${need} of ${voters.join(' ')}`
}

/** n1 is the primary of three, both standbys stream, commits wait for one of them. */
const base: DurabilityFacts = {
  node: 'n1',
  members: ['n1', 'n2', 'n3'],
  mode: 'quorum',
  commit: commit('1 of n2 n3'),
  election: election('2 of n2 n3'),
  streaming: ['n2', 'n3'],
  level: ['n2', 'n3'],
  alone: false,
  proven: true,
}

const cases: readonly Case<DurabilityFacts, DurabilityPlan>[] = [
  ['All is well', {}, { do: 'nothing', why: 'count towards a commit: n2, n3' }],
  [
    'A standby that counts is busy: it stays',
    { level: ['n3'] },
    { do: 'nothing', why: 'count towards a commit: n2, n3' },
  ],
  ['Both are busy', { level: [] }, { do: 'nothing', why: 'count towards a commit: n2, n3' }],
  [
    'The order of names is no difference',
    { commit: commit('1 of n3 n2') },
    { do: 'nothing', why: 'count towards a commit: n2, n3' },
  ],
  [
    'The standbys have gone a moment ago',
    { streaming: [], level: [] },
    { do: 'nothing', why: 'no streaming standby has caught up yet' },
  ],
  [
    'Just promoted: a standby that streams and is not level counts for nothing yet',
    { election: NOBODY, streaming: ['n3'], level: [] },
    { do: 'nothing', why: 'no streaming standby has caught up yet' },
  ],
  [
    'Just promoted, strict: the same',
    { mode: 'strict', election: NOBODY, streaming: ['n3'], level: [] },
    { do: 'nothing', why: 'so writes wait for one (strict)' },
  ],
  [
    'A new standby is not level: commits do not wait for it',
    { commit: commit('1 of n2'), election: election('1 of n2'), level: ['n2'] },
    { do: 'nothing', why: 'count towards a commit: n2' },
  ],
  [
    'The one that is left to elect has not caught up',
    { commit: commit('1 of n3'), streaming: ['n3'], level: [] },
    { do: 'nothing', why: 'too few of the new voters' },
  ],
  [
    'It is set what commits wait for, and not proven: no voters beside it',
    { election: NOBODY, proven: false },
    { do: 'commit', why: 'not proven', commit: commit('1 of n2 n3') },
  ],
  [
    'Not even fewer voters',
    { commit: commit('1 of n3'), ...{ streaming: ['n3'], level: ['n3'] }, proven: false },
    { do: 'commit', why: 'not proven', commit: commit('1 of n3') },
  ],
  [
    'For nobody as a voter it needs no proof',
    { streaming: [], level: [], alone: true, proven: false },
    { do: 'elect', why: 'goes on alone', election: NOBODY },
  ],
  [
    'There is nothing to do, so nothing to prove',
    { proven: false },
    { do: 'nothing', why: 'count towards a commit: n2, n3' },
  ],
  [
    'A stranger that streams is no member',
    { streaming: ['n2', 'n3', 'n9'], level: ['n2', 'n3', 'n9'] },
    { do: 'nothing', why: 'count towards a commit: n2, n3' },
  ],
]

type Walk = readonly [
  caption: string,
  from: readonly [commit: string, election: string],
  difference: Partial<DurabilityFacts>,
  /** The steps in their order, and a fragment of why there is nothing left to do. */
  steps: readonly string[],
]

const only = (...names: string[]) => ({ streaming: names, level: names })
const aloneNow = { ...only(), alone: true }
const FULL = ['1 of n2 n3', '2 of n2 n3'] as const
const ALONE = ['none', 'nobody'] as const
const HELD = ['hold', '2 of n2 n3'] as const
const ASYNC = ['none', '1 of n2 n3'] as const

const quorum: readonly Walk[] = [
  ['A standby is lost', FULL, only('n3'), ['commit 1 of n3', 'elect 1 of n3', 'count towards a commit: n3']],
  [
    'It comes back',
    ['1 of n3', '1 of n3'],
    {},
    ['elect 2 of n2 n3', 'commit 1 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  ['Both are lost', FULL, only(), ['no streaming standby has caught up yet']],
  ['Alone after the delay', FULL, aloneNow, ['elect nobody', 'commit none', 'goes on alone']],
  [
    'Alone after one was lost before',
    ['1 of n3', '1 of n3'],
    aloneNow,
    ['elect nobody', 'commit none', 'goes on alone'],
  ],
  ['One is back', ALONE, only('n2'), ['commit 1 of n2', 'elect 1 of n2', 'count towards a commit: n2']],
  ['Both are back', ALONE, {}, ['commit 1 of n2 n3', 'elect 2 of n2 n3', 'count towards a commit: n2, n3']],
  ['One is back and busy', ALONE, { ...only('n2'), level: [] }, ['no streaming standby has caught up yet']],
  [
    'Just promoted, all follow',
    ['1 of n2 n3', 'nobody'],
    {},
    ['elect 2 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  [
    'Just promoted, one follows',
    ['1 of n2 n3', 'nobody'],
    only('n3'),
    ['commit 1 of n3', 'elect 1 of n3', 'count towards a commit: n3'],
  ],
  [
    'Just promoted, nobody follows yet',
    ['1 of n2 n3', 'nobody'],
    only(),
    ['no streaming standby has caught up yet'],
  ],
  [
    'Just promoted, nobody ever follows',
    ['1 of n2 n3', 'nobody'],
    aloneNow,
    ['commit none', 'goes on alone'],
  ],
  [
    'One standby in the place of another: a bridge',
    ['1 of n2', '1 of n2'],
    only('n3'),
    ['elect 2 of n2 n3', 'commit 1 of n3', 'elect 1 of n3', 'count towards a commit: n3'],
  ],
  [
    'The run died on the bridge, and the old standby is back',
    ['1 of n2', '2 of n2 n3'],
    {},
    ['commit 1 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  [
    'Two standbys in the place of two others',
    ['1 of n2 n3', '2 of n2 n3'],
    { members: NAMES, ...only('n4', 'n5') },
    ['elect 4 of n2 n3 n4 n5', 'commit 1 of n4 n5', 'elect 2 of n4 n5', 'count towards a commit: n4, n5'],
  ],
  [
    'A fourth member has joined',
    FULL,
    { members: NAMES.slice(0, 4), ...only('n2', 'n3', 'n4') },
    ['commit 2 of n2 n3 n4', 'elect 2 of n2 n3 n4', 'count towards a commit: n2, n3, n4'],
  ],
  [
    'A fourth member has left',
    ['2 of n2 n3 n4', '2 of n2 n3 n4'],
    {},
    ['elect 2 of n2 n3', 'commit 1 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  [
    'The third member has left',
    FULL,
    { members: ['n1', 'n2'], ...only('n2') },
    ['elect nobody', 'commit none', 'elect 1 of n2', 'in a cluster of 2'],
  ],
  [
    'The third member has left, and the second one has not caught up',
    FULL,
    { members: ['n1', 'n2'], streaming: ['n2'], level: [] },
    ['elect nobody', 'commit none', 'in a cluster of 2'],
  ],
  [
    'The third member has left, and nobody streams',
    FULL,
    { members: ['n1', 'n2'], ...only() },
    ['elect nobody', 'commit none', 'in a cluster of 2'],
  ],
  [
    'The other two members have left',
    FULL,
    { members: ['n1'], ...only() },
    ['elect nobody', 'commit none', 'in a cluster of 1'],
  ],
  [
    'The third member has left while nobody else could be promoted',
    ALONE,
    { members: ['n1', 'n2'], ...only('n2') },
    ['elect 1 of n2', 'in a cluster of 2'],
  ],
  [
    'Two members: the standby that counts is busy',
    ['none', '1 of n2'],
    { members: ['n1', 'n2'], streaming: ['n2'], level: [] },
    ['in a cluster of 2'],
  ],
  [
    'Two members: another one is in the place of the standby that counted',
    ['none', '1 of n3'],
    { members: ['n1', 'n2'], ...only('n2') },
    ['elect 1 of n2', 'in a cluster of 2'],
  ],
  [
    'Two members: the one that counted is no member any more, and the new one has not caught up',
    ['none', '1 of n3'],
    { members: ['n1', 'n2'], streaming: ['n2'], level: [] },
    ['elect nobody', 'in a cluster of 2'],
  ],
  ['A run died while commits were held', HELD, {}, ['commit 1 of n2 n3', 'count towards a commit: n2, n3']],
  [
    'The same, and the standbys are busy: they are not waited for',
    HELD,
    { level: [] },
    ['commit 1 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  [
    'The same, and one is lost',
    HELD,
    only('n3'),
    ['commit 1 of n3', 'elect 1 of n3', 'count towards a commit: n3'],
  ],
  ['The same, and both are lost', HELD, only(), ['no streaming standby has caught up yet']],
  ['The same for long', HELD, aloneNow, ['elect nobody', 'commit none', 'goes on alone']],
  [
    'A run died while commits were held, just promoted',
    ['hold', 'nobody'],
    {},
    ['commit 1 of n2 n3', 'elect 2 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  [
    'A run died while commits were held, and the cluster has got small',
    HELD,
    { members: ['n1', 'n2'], ...only('n2') },
    ['elect nobody', 'commit none', 'elect 1 of n2', 'in a cluster of 2'],
  ],
  [
    'Commits did not wait until now',
    ASYNC,
    {},
    ['elect nobody', 'commit 1 of n2 n3', 'elect 2 of n2 n3', 'count towards a commit: n2, n3'],
  ],
  [
    'Commits did not wait until now, one streams',
    ASYNC,
    only('n3'),
    ['elect nobody', 'commit 1 of n3', 'elect 1 of n3', 'count towards a commit: n3'],
  ],
  ['Commits did not wait until now, nobody streams', ASYNC, aloneNow, ['elect nobody', 'goes on alone']],
]

const strict: readonly Walk[] = [
  ['A standby is lost', FULL, only('n3'), ['commit 1 of n3', 'elect 1 of n3', 'count towards a commit: n3']],
  ['Both are lost', FULL, only(), ['so writes wait for one (strict)']],
  ['Both are lost for long: it never relaxes', FULL, aloneNow, ['so writes wait for one (strict)']],
  ['The last one is lost for long', ['1 of n3', '1 of n3'], aloneNow, ['so writes wait for one (strict)']],
  [
    'Another one is back than was lost',
    ['1 of n3', '1 of n3'],
    only('n2'),
    ['elect 2 of n2 n3', 'commit 1 of n2', 'elect 1 of n2', 'count towards a commit: n2'],
  ],
  [
    'Just promoted, nobody ever follows',
    ['1 of n2 n3', 'nobody'],
    aloneNow,
    ['so writes wait for one (strict)'],
  ],
  [
    'A run died while commits were held, and nobody streams: they wait for any standby again',
    HELD,
    only(),
    ['commit 1 of n2 n3', 'so writes wait for one (strict)'],
  ],
  [
    'Alone from the time of `quorum`',
    ALONE,
    aloneNow,
    ['commit 1 of n2 n3', 'so writes wait for one (strict)'],
  ],
  [
    'Commits did not wait until now, nobody streams',
    ASYNC,
    only(),
    ['elect nobody', 'commit 1 of n2 n3', 'so writes wait for one (strict)'],
  ],
  [
    'Two members, commits did not wait until now',
    ['none', '1 of n2'],
    { members: ['n1', 'n2'], ...only('n2') },
    ['commit 1 of n2', 'count towards a commit: n2'],
  ],
  [
    'Two members, the standby is lost',
    ['1 of n2', '1 of n2'],
    { members: ['n1', 'n2'], ...aloneNow },
    ['so writes wait for one (strict)'],
  ],
]

const asynchronous: readonly Walk[] = [
  ['Commits waited until now', FULL, {}, ['elect nobody', 'commit none', 'elect 1 of n2 n3', 'async']],
  [
    'The same with nobody streaming',
    FULL,
    only(),
    ['elect nobody', 'commit none', 'elect 1 of n2 n3', 'async'],
  ],
  ['Alone until now', ALONE, {}, ['elect 1 of n2 n3', 'async']],
  ['Just promoted', ['1 of n2 n3', 'nobody'], only(), ['commit none', 'elect 1 of n2 n3', 'async']],
  ['There is nothing to do', ASYNC, only(), ['async']],
]

function walks(mode: DurabilityMode, rows: readonly Walk[]): void {
  for (const [index, [caption, [waits, elects], difference, expected]] of rows.entries()) {
    test(`${mode} ${index + 1}. ${caption}`, () => {
      const facts = { ...base, ...difference, mode, commit: commit(waits), election: election(elects) }
      const steps = walk(decideDurability, facts).map(({ plan }) => describeStep(plan))
      assert.deepEqual(steps.slice(0, -1), expected.slice(0, -1))
      assert.ok(steps.at(-1)?.includes(expected.at(-1) as string), steps.at(-1))
    })
  }
}

const sizes: readonly [mode: DurabilityMode, size: number, commit: string, election: string][] = [
  ['quorum', 1, 'none', 'nobody'],
  ['quorum', 2, 'none', '1 of n2'],
  ['quorum', 3, '1 of n2 n3', '2 of n2 n3'],
  ['quorum', 4, '2 of n2 n3 n4', '2 of n2 n3 n4'],
  ['quorum', 5, '2 of n2 n3 n4 n5', '3 of n2 n3 n4 n5'],
  ['strict', 1, 'none', 'nobody'],
  ['strict', 2, '1 of n2', '1 of n2'],
  ['strict', 3, '1 of n2 n3', '2 of n2 n3'],
  ['strict', 4, '2 of n2 n3 n4', '2 of n2 n3 n4'],
  ['strict', 5, '2 of n2 n3 n4 n5', '3 of n2 n3 n4 n5'],
  ['async', 1, 'none', 'nobody'],
  ['async', 2, 'none', '1 of n2'],
  ['async', 3, 'none', '1 of n2 n3'],
  ['async', 4, 'none', '1 of n2 n3 n4'],
  ['async', 5, 'none', '1 of n2 n3 n4 n5'],
]

describe('durability', () => {
  table(decideDurability, base, cases)
  walks('quorum', quorum)
  walks('strict', strict)
  walks('async', asynchronous)

  for (const [mode, size, waits, elects] of sizes) {
    test(`${mode} with ${size}, all streaming, from a new primary`, () => {
      const members = NAMES.slice(0, size)
      const standbys = members.slice(1)
      const facts = { ...base, mode, members, ...only(...standbys), commit: NO_WAIT, election: NOBODY }
      const end = walk(decideDurability, facts).at(-1)?.facts
      assert.deepEqual([end?.commit, end?.election], [commit(waits), election(elects)])
    })
  }
})
