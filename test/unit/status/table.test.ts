import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Report } from '../../../lib/status/facts.ts'
import { documentOf } from '../../../lib/status/judge.ts'
import { bytes, duration, type Paint, tableLines } from '../../../lib/status/table.ts'
import { first, healthy, passing, silent, standby } from './healthy.ts'

const textOf = (change: Partial<Report>, paint?: Paint): string =>
  tableLines(documentOf({ ...healthy, ...change }), paint).join('\n')

describe('tableLines', () => {
  test('A healthy cluster at a glance', () => {
    assert.equal(
      textOf({}),
      `healthy: n1 is the primary and holds 10.77.0.100
virtual IP 10.77.0.100 (follows the primary), durability quorum, epoch 3, lock held by n1 since 2026-03-01 10:00:00 UTC (2 h 5 min)

  MACHINE  ADDRESS     CONSUL  VIRTUAL IP  POSTGRESQL  TIMELINE  LAG  PGBOUNCER  CHECKS
* n1       10.77.0.11  leader  holder      primary     2         -    n1         passing
  n2       10.77.0.12  alive   -           standby     2         0 B  n1         passing
  n3       10.77.0.13  alive   -           standby     2         0 B  n1         passing`,
    )
  })

  test('A powered-off machine, with the reasons', () => {
    const why = 'no answer within 1300 ms'
    assert.equal(
      textOf({
        machines: [first(), standby(2), silent(3)],
        unknown: [
          { machine: 'n3', what: 'PostgreSQL', why },
          { machine: 'n3', what: 'PgBouncer', why },
        ],
      }),
      `not healthy: n3 does not answer: neither its Consul nor PostgreSQL nor PgBouncer
virtual IP 10.77.0.100 (follows the primary), durability quorum, epoch 3, lock held by n1 since 2026-03-01 10:00:00 UTC (2 h 5 min)

  MACHINE  ADDRESS     CONSUL  VIRTUAL IP  POSTGRESQL  TIMELINE  LAG      PGBOUNCER  CHECKS
* n1       10.77.0.11  leader  holder      primary     2         -        n1         passing
  n2       10.77.0.12  alive   -           standby     2         0 B      n1         passing
  n3       10.77.0.13  failed  unknown     unknown     unknown   unknown  unknown    unknown

unknown:
  n3 PostgreSQL, n3 PgBouncer: no answer within 1300 ms`,
    )
  })

  test('Several problems are a list', () => {
    const second = standby(2, {
      postgresql: { role: 'standby', timeline: 1, streaming: false, upstream: null, lagBytes: 20_000_000 },
      pgbouncer: { host: '127.0.0.1', port: 1, target: null, paused: true },
      checks: passing.map((check) => (check.id === 'understudy' ? { ...check, status: 'critical' } : check)),
    })
    const text = textOf({
      machines: [first(), second, standby(3, { postgresql: { role: 'down' }, pgbouncer: null })],
    })
    assert.match(
      text,
      /^not healthy: 6 problems\n {2}- PostgreSQL on n2 does not stream from the primary\n {2}- /,
    )
    assert.match(text, /standby +1 +19 MiB, not streaming +nobody, paused +understudy critical\n/)
    assert.match(text, /n3 .* down +- +- +no database +passing$/)
  })

  test('A server without a vote', () => {
    assert.match(
      textOf({ machines: [first(), standby(2, { voter: false }), standby(3)] }),
      /n2 .* alive, no vote /,
    )
  })

  test('Notes stand below the health', () => {
    assert.match(
      textOf({ machines: [first(), standby(2)] }),
      /\nnote: no failover is possible with two machines/,
    )
  })

  for (const [caption, change, expected] of [
    [
      'a free lock',
      { lock: { held: false, node: 'n1', since: healthy.at, why: '', epoch: 3 } },
      /lock free; last taken by n1/,
    ],
    ['no lock', { lock: null }, /no epoch yet/],
    ['an unknown lock', { lock: 'unknown' }, /epoch unknown/],
    ['an unknown policy', { policy: 'unknown' }, /\(policy unknown\)/],
    ['fixed placement', { policy: 'fixed' }, /\(stays by priority\)/],
    ['no leader', { consul: { answers: true, leader: null } }, /as Consul last knew it/],
  ] as const) {
    test(`The cluster line with ${caption}`, () => assert.match(textOf(change), expected))
  }

  test('Colour changes no column', () => {
    const tone = (code: string) => (text: string) => `<${code}>${text}</${code}>`
    const paint = { good: tone('g'), bad: tone('b'), faint: tone('f'), strong: tone('s') }
    const change = {
      machines: [first(), standby(2), silent(3)],
      unknown: [{ machine: 'n3', what: 'x', why: 'y' }],
    }
    const coloured = textOf(change, paint)
    assert.equal(coloured.replace(/<\/?[gbfs]>/g, ''), textOf(change))
    assert.match(coloured, /<b>unknown<\/b>/)
    assert.match(coloured, /<g>holder<\/g>/)
    assert.match(coloured, /^<b>not healthy/)
  })
})

describe('bytes', () => {
  for (const [count, text] of [
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [16 * 1024 ** 2, '16 MiB'],
    [2.25 * 1024 ** 3, '2.3 GiB'],
    [5000 * 1024 ** 4, '5000 TiB'],
  ] as const) {
    test(text, () => assert.equal(bytes(count), text))
  }
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
