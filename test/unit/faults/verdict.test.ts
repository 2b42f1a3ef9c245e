import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attempt, Evidence, Violation } from '../../lab/faults/evidence.ts'
import { judge, judgeCopies } from '../../lab/faults/verdict.ts'

/** Sent by a client at a moment, acknowledged 5 ms later by a machine on a timeline, both named as in "n1/1". */
function acknowledged(value: number, sentAt: number, by: string, at = sentAt + 5): Attempt {
  const [server = '', timeline] = by.split('/')
  return { writer: 'c', value, sentAt, acknowledged: { at, server, timeline: Number(timeline) } }
}
const unanswered = (value: number, sentAt: number): Attempt => ({
  writer: 'c',
  value,
  sentAt,
  acknowledged: null,
})

/** A failover: n1 acknowledges 1 and 2, 3 is never answered, n2 acknowledges 4. */
const failover: Evidence = {
  attempts: [
    acknowledged(1, 100, 'n1/1'),
    acknowledged(2, 200, 'n1/1'),
    unanswered(3, 300),
    acknowledged(4, 5000, 'n2/2'),
  ],
  rows: [1, 2, 4],
  sightings: [],
  commitsWait: true,
}
const more = (...attempts: Attempt[]): Attempt[] => [...failover.attempts, ...attempts]

const cases: readonly [
  caption: string,
  difference: Partial<Evidence>,
  broken: Violation['rule'][],
  part?: string,
][] = [
  ['A failover that keeps every promise', {}, []],
  ['An unanswered row may be there', { rows: [1, 2, 3, 4] }, []],
  ['An acknowledged row is missing', { rows: [1, 4] }, ['lost'], '1 acknowledged, not there: 2 (c, by n1 on'],
  ['An acknowledged row is missing where commits do not wait', { rows: [1, 4], commitsWait: false }, []],
  ['A row is there twice where commits do not wait', { rows: [1, 2, 2, 4], commitsWait: false }, ['double']],
  [
    'Two acknowledge side by side where commits do not wait',
    { attempts: more(acknowledged(5, 5006, 'n1/1')), rows: [1, 2, 4], commitsWait: false },
    ['overlap'],
  ],
  [
    'The same for no longer than is tolerated',
    { attempts: more(acknowledged(5, 5006, 'n1/1')), rows: [1, 2, 4], commitsWait: false, overlapMs: 1 },
    [],
  ],
  ['A row is there twice', { rows: [1, 2, 2, 4] }, ['double'], ': 2'],
  ['A row is there that nobody sent', { rows: [1, 2, 4, 9] }, ['invented'], ': 9'],
  [
    'Many are missing: the first ones are named',
    { attempts: Array.from({ length: 9 }, (_, index) => acknowledged(index, index, 'n1/1')), rows: [] },
    ['lost'],
    ', ...',
  ],
  [
    'The old primary acknowledges what was sent after the new one began',
    { attempts: more(acknowledged(5, 5006, 'n1/1')), rows: [1, 2, 4, 5] },
    ['overlap'],
    'n1 acknowledged 5 on timeline 1, which was sent 1 ms after',
  ],
  [
    'A thawed client hears late of a commit that was made in time',
    { attempts: more(acknowledged(5, 250, 'n1/1', 9000)), rows: [1, 2, 4, 5] },
    [],
  ],
  [
    'Sent at the very moment of the first acknowledgement: still in time',
    { attempts: more(acknowledged(5, 5005, 'n1/1')), rows: [1, 2, 4, 5] },
    [],
  ],
  [
    'The first one is the primary again, on a later timeline',
    { attempts: more(acknowledged(5, 9000, 'n1/3')), rows: [1, 2, 4, 5] },
    [],
  ],
  [
    'Two were promoted to one timeline, and both acknowledged',
    { attempts: more(acknowledged(5, 6000, 'n3/2')), rows: [1, 2, 4, 5] },
    ['shared timeline'],
    'n2 and n3',
  ],
  [
    'A former primary is powered on and starts as a primary',
    { sightings: [{ machine: 'n1', role: 'primary', timeline: 1, startedAfter: 6000 }] },
    ['returned as primary'],
    'n1 was started',
  ],
  [
    'It is told once, however often it was seen',
    {
      sightings: Array.from({ length: 3 }, () => ({
        machine: 'n1',
        role: 'primary' as const,
        timeline: 1,
        startedAfter: 6000,
      })),
    },
    ['returned as primary'],
  ],
  [
    'A former primary is powered on and starts as a standby',
    { sightings: [{ machine: 'n1', role: 'standby', timeline: 1, startedAfter: 6000 }] },
    [],
  ],
  [
    'A primary starts again before anybody else acknowledged anything',
    { sightings: [{ machine: 'n1', role: 'primary', timeline: 1, startedAfter: 400 }] },
    [],
  ],
]

describe('verdict on what clients were told', () => {
  for (const [caption, difference, broken, part = ''] of cases) {
    test(caption, () => {
      const violations = judge({ ...failover, ...difference })
      assert.deepEqual(
        violations.map(({ rule }) => rule),
        broken,
      )
      assert.ok(violations.length === 0 || violations[0]?.detail.includes(part), violations[0]?.detail)
    })
  }
})

describe('verdict on the standbys', () => {
  const details = (rows: number[]) =>
    judgeCopies([{ machine: 'n2', before: [1, 2], rows, after: [1, 2, 3] }]).map(({ detail }) => detail)

  test('a copy may have what came while it was read', () => {
    assert.deepEqual(details([1, 2]), [])
    assert.deepEqual(details([1, 2, 3]), [])
  })
  test('what the primary had before must be there', () =>
    assert.deepEqual(details([2, 3]), ['1 missing on n2, a standby: 1']))
  test('what the primary never had must not', () =>
    assert.deepEqual(details([1, 2, 4]), ['1 only on n2, a standby: 4']))
})
