import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Paint, plain } from '../../../lib/core/paint.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import type { ClusterReport, Machine } from '../../../lib/status/facts.ts'
import { documentOf, first, healthy, passing, silent, standby, tableLines } from './healthy.ts'

const textOf = (change: Partial<ClusterReport>, paint?: Paint): string =>
  tableLines(documentOf({ ...healthy, ...change }), paint).join('\n')

describe('tableLines', () => {
  test('A healthy cluster at a glance', () => {
    assert.equal(
      textOf({}),
      `healthy: n1 is the primary and holds 10.77.0.100
virtual IP 10.77.0.100 (follows the primary), durability quorum, epoch 3, lock held by n1 since 2026-03-01 10:00:00 UTC (2 h 5 min)

  MACHINE  ADDRESS     CONSUL  VIRTUAL IP  POSTGRESQL  TIMELINE  LAG  PGBOUNCER  FILES    CHECKS
* n1       10.77.0.11  leader  holder      primary     2         -    n1         in sync  passing
  n2       10.77.0.12  alive   -           standby     2         0 B  n1         in sync  passing
  n3       10.77.0.13  alive   -           standby     2         0 B  n1         in sync  passing`,
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

  MACHINE  ADDRESS     CONSUL  VIRTUAL IP  POSTGRESQL  TIMELINE  LAG      PGBOUNCER  FILES         CHECKS
* n1       10.77.0.11  leader  holder      primary     2         -        n1         in sync       passing
  n2       10.77.0.12  alive   -           standby     2         0 B      n1         in sync       passing
  n3       10.77.0.13  failed  unknown     unknown     unknown   unknown  unknown    disconnected  unknown

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
    assert.match(text, /standby +1 +19 MiB, not streaming +nobody, paused +in sync +understudy critical\n/)
    assert.match(text, /n3 .* down +- +- +no database +in sync +passing$/)
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
    ['an unknown lock', { lock: UNKNOWN }, /epoch unknown/],
    ['an unknown policy', { policy: UNKNOWN }, /\(policy unknown\)/],
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

type Copies = Exclude<Machine['files'], typeof UNKNOWN | null>['folders']

/** What stands below FILES for n2, and whether it is set off as bad. */
function filesCellOf(files: Machine['files']): { text: string; bad: boolean } {
  const wrong = new Set<string>()
  const paint: Paint = { ...plain, bad: (text) => String(wrong.add(text) && text) }
  const lines = textOf({ machines: [first(), standby(2, { files }), standby(3)] }, paint).split('\n')
  const headings = lines.find((line) => line.includes('MACHINE')) ?? assert.fail()
  const row = lines.find((line) => line.startsWith('  n2 ')) ?? assert.fail()
  const text = row.slice(headings.indexOf('FILES'), headings.indexOf('CHECKS')).trim()
  return { text, bad: wrong.has(text) }
}

describe('tableLines: files', () => {
  const copy = (label: string, state: Copies[number]['state'], files = 0, bytes = 0) => ({
    label,
    state,
    files,
    bytes,
  })
  const cases: readonly (readonly [caption: string, folders: Copies, text: string, bad: boolean])[] = [
    ['All is there', [copy('a', 'in-sync'), copy('b', 'in-sync')], 'in sync', false],
    ['No folder yet', [], 'no folder', false],
    ['Something is on its way', [copy('a', 'behind', 3, 1536)], 'behind 3 files (1.5 KiB)', false],
    [
      'What all folders lack is added up',
      [copy('a', 'behind', 3, 1024), copy('b', 'in-sync'), copy('c', 'behind', 4, 512)],
      'behind 7 files (1.5 KiB)',
      false,
    ],
    ['Away, with all that there is', [copy('a', 'disconnected')], 'disconnected', true],
    [
      'Away, and something has changed since',
      [copy('a', 'disconnected'), copy('b', 'disconnected', 1, 20)],
      'disconnected, behind 1 file (20 B)',
      true,
    ],
    [
      'Not shared comes before behind',
      [copy('a', 'behind', 1, 20), copy('b', 'not-shared'), copy('c', 'in-sync')],
      'not shared, behind 1 file (20 B)',
      true,
    ],
    ['Not shared, and empty', [copy('a', 'in-sync'), copy('b', 'not-shared')], 'not shared', true],
    [
      'Disconnected comes before not shared',
      [copy('a', 'not-shared'), copy('b', 'disconnected')],
      'disconnected',
      true,
    ],
    [
      'Something cannot be read, and nothing is lacking',
      [copy('a', 'in-sync'), { ...copy('b', 'failing'), why: 'a: permission denied' }],
      'failing',
      true,
    ],
    [
      'Failing comes before disconnected, with what all folders lack',
      [copy('a', 'disconnected', 1, 512), copy('b', 'behind', 2, 512), copy('c', 'failing', 3, 1024)],
      'failing, behind 6 files (2 KiB)',
      true,
    ],
    [
      'Stopped comes before all',
      [
        copy('a', 'failing'),
        copy('b', 'disconnected'),
        copy('c', 'in-sync'),
        { ...copy('d', 'stopped'), why: 'no marker' },
      ],
      'stopped',
      true,
    ],
    [
      'Stopped, and something was lacking',
      [copy('a', 'in-sync'), copy('b', 'stopped', 2, 2048)],
      'stopped, behind 2 files (2 KiB)',
      true,
    ],
  ]
  for (const [caption, folders, text, bad] of cases) {
    test(caption, () => assert.deepEqual(filesCellOf({ connected: true, folders }), { text, bad }))
  }

  test('Not known', () => assert.deepEqual(filesCellOf(UNKNOWN), { text: 'unknown', bad: true }))

  test('Not replicated there', () => assert.deepEqual(filesCellOf(null), { text: '-', bad: false }))
})
