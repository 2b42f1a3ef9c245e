import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Lineage,
  lineageOf,
  type Offer,
  type Position,
  parseHistory,
} from '../../../lib/postgresql/decide-lineage.ts'

/** As PostgreSQL writes it; the last promotion was from timeline 3, at 0/7000100. */
const HISTORY = [
  '1\t0/3000060\tno recovery target specified\n',
  '\n2\t0/5000060\tno recovery target specified\n',
  '\n3\t0/7000100\tno recovery target specified\n',
].join('')
const offer: Offer = { timeline: 4, history: HISTORY, oldest: 0x3000000n, end: 0x8000000n }

const cases: readonly (readonly [
  caption: string,
  own: Position,
  lineage: Lineage,
  offer?: Partial<Offer>,
  replayed?: bigint,
])[] = [
  ['on its timeline', { timeline: 4, lsn: 0x7000200n }, 'follows'],
  ['where its timeline begins', { timeline: 3, lsn: 0x7000100n }, 'follows'],
  ['a byte before its timeline begins', { timeline: 3, lsn: 0x70000ffn }, 'follows'],
  [
    'a byte behind the place where the primary left our timeline',
    { timeline: 3, lsn: 0x7000101n },
    'diverged',
  ],
  ['two timelines ago, before the fork', { timeline: 2, lsn: 0x5000000n }, 'follows'],
  ['two timelines ago, behind the fork', { timeline: 2, lsn: 0x5000061n }, 'diverged'],
  [
    'two timelines ago, at a position that a later timeline has',
    { timeline: 2, lsn: 0x6000000n },
    'diverged',
  ],
  ['on a timeline that the primary never had', { timeline: 5, lsn: 0x4000000n }, 'diverged'],
  ['at the oldest WAL that the primary still has', { timeline: 1, lsn: 0x3000000n }, 'follows'],
  ['a byte before that', { timeline: 1, lsn: 0x2ffffffn }, 'behind'],
  ['a new standby that has nothing', { timeline: 4, lsn: 0n }, 'behind'],
  [
    'on its timeline, and what is needed is gone',
    { timeline: 4, lsn: 0x7000200n },
    'behind',
    { oldest: 0x8000000n },
  ],
  [
    'diverged, and what is needed is gone as well: only a rewind or a copy helps',
    { timeline: 3, lsn: 0x7000101n },
    'diverged',
    { oldest: 0x8000000n },
  ],
  [
    'the first primary has no history',
    { timeline: 1, lsn: 0x4000000n },
    'follows',
    { timeline: 1, history: '' },
  ],
  [
    'a former primary of a cluster that was founded anew',
    { timeline: 2, lsn: 0x4000000n },
    'diverged',
    { timeline: 1, history: '' },
  ],
  ['at the end of the primary', { timeline: 4, lsn: 0x8000000n }, 'follows'],
  [
    'a byte further than a primary that went back in time',
    { timeline: 4, lsn: 0x8000001n },
    'ahead',
    {},
    0x8000001n,
  ],
  [
    'received a part of a record that the primary, after a crash, writes anew',
    { timeline: 4, lsn: 0x8000100n },
    'follows',
    {},
    0x8000000n,
  ],
  [
    'further than the primary on a timeline that the primary has left: the fork decides',
    { timeline: 3, lsn: 0x9000000n },
    'diverged',
  ],
  [
    'a position whose low half alone would be earlier',
    { timeline: 1, lsn: 0x1_0000_0010n },
    'diverged',
    { timeline: 2, history: '1\t0/5000060\tx\n' },
  ],
]

describe('can a standby go on with a primary', () => {
  for (const [caption, own, lineage, difference, replayed = own.lsn] of cases)
    test(`${lineage}: ${caption}`, () =>
      assert.equal(lineageOf(own, replayed, { ...offer, ...difference }), lineage))
})

describe('the history of a timeline', () => {
  const texts: readonly (readonly [caption: string, text: string, timelines: [number, bigint][]])[] = [
    ['empty', '', []],
    [
      'as PostgreSQL writes it',
      HISTORY,
      [
        [1, 0x3000060n],
        [2, 0x5000060n],
        [3, 0x7000100n],
      ],
    ],
    ['lower-case digits', '1\t16/b374d848\tx\n', [[1, 0x16b374d848n]]],
    ['a comment between', '# by hand\n1\t0/10\tx\n', [[1, 0x10n]]],
    ['blanks in front', '  1 0/10 x\n', [[1, 0x10n]]],
    ['no newline at its end', '1\t0/10', [[1, 0x10n]]],
  ]
  for (const [caption, text, timelines] of texts)
    test(caption, () => assert.deepEqual([...parseHistory(text)], timelines))
})
