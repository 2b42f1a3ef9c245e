import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  failedStarts,
  isNotTheData,
  lastWords,
  parseStopped,
  type Starts,
  type StoppedStandby,
  startDueAtMs,
} from '../../../lib/postgresql/decide-starts.ts'

const AT = '2026-03-01T10:00:00.000Z'
const nowMs = Date.parse(AT) + 2000
const last: Starts = { failed: 2, at: AT, position: '0/5 0/6', logBytes: 0, cloned: null }
/** It has come no further since the last start. */
const stopped: StoppedStandby = {
  clean: false,
  controlMs: nowMs - 1000,
  position: '0/5 0/6',
  receivedMs: nowMs - 3000,
}

const cases: readonly [
  what: string,
  failed: number,
  Starts | null,
  Partial<StoppedStandby>,
  afterMs?: number,
][] = [
  ['The last start has come to nothing', 3, last, {}],
  ['Nor can the control file be read', 3, { ...last, position: null }, { position: null }],
  ['The first start since the boot', 0, null, {}],
  ['It was shut down', 0, last, { clean: true }],
  ['It was shut down before the last start', 3, last, { clean: true, controlMs: nowMs - 3000 }],
  ['Its recovery has come further', 0, last, { position: '0/5 0/7' }],
  ['It has received something since', 0, last, { receivedMs: nowMs - 1000 }],
  ['It has run for long', 0, last, {}, 2 * 3600 * 1000],
  ['The clock was set back', 0, last, {}, -60_000],
]

describe('starts of a standby that have failed', () => {
  for (const [what, failed, before, difference, afterMs = 0] of cases)
    test(what, () =>
      assert.equal(failedStarts(before, { ...stopped, ...difference }, nowMs + afterMs), failed),
    )

  test('the next one is due ever later', () => {
    const due = (failed: number) => startDueAtMs(failed, last, nowMs) - Date.parse(AT)
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map(due), [2000, 5000, 10_000, 20_000, 40_000, 60_000, 60_000])
  })

  test('what the control file says', () => {
    const said = [
      'Database cluster state:               shut down in recovery',
      'Latest checkpoint location:           0/3000060',
      'Minimum recovery ending location:     0/3000110',
    ]
    assert.deepEqual(parseStopped(said.join('\n')), { clean: true, position: '0/3000060 0/3000110' })
    assert.equal(
      parseStopped(said.join('\n').replace('shut down in recovery', 'in archive recovery')).clean,
      false,
    )
    assert.deepEqual(parseStopped(''), { clean: false, position: null })
  })

  test('what PostgreSQL said last', () => {
    const log = `2026-03-01 10:00:00.000 UTC [1] LOG:  entering standby mode
2026-03-01 10:00:00.100 UTC [2] FATAL:  invalid page in block 3 of relation base/5/16384
2026-03-01 10:00:00.200 UTC [3] FATAL:  the database system is starting up
2026-03-01 10:00:00.300 UTC [1] LOG:  startup process (PID 2) exited with exit code 1
`
    assert.equal(lastWords(log), 'invalid page in block 3 of relation base/5/16384')
    assert.equal(lastWords('LOG:  database system is shut down\n'), null)
    const killed = (signal: string): string =>
      `2026-03-01 10:00:00.300 UTC [1] LOG:  startup process (PID 2) was terminated by signal ${signal}\n`
    const crash = 'startup process (PID 2) was terminated by signal 11: Segmentation fault'
    assert.equal(lastWords(killed('11: Segmentation fault')), crash)
    assert.equal(lastWords(killed('9: Killed')), null)
  })

  for (const said of [
    'could not load /etc/postgresql/17/main/pg_hba.conf',
    'configuration file "/etc/postgresql/17/main/postgresql.conf" contains errors',
    'could not load server certificate file "/etc/ssl/x.pem": No such file or directory',
    'could not access file "timescaledb": No such file or directory',
    'could not write lock file "postmaster.pid": No space left on device',
    'directory "/srv/ts" does not exist',
  ])
    test(`not the data: ${said}`, () => assert.equal(isNotTheData(said), true))

  for (const said of [
    'could not open file "base/5/pg_filenode.map": No such file or directory',
    'could not locate a valid checkpoint record at 0/3000060',
    'invalid page in block 3 of relation base/5/16384',
    'could not access status of transaction 512',
    'database files are incompatible with server',
    'incorrect checksum in control file',
    'could not open directory "pg_wal": No such file or directory',
  ])
    test(`the data: ${said}`, () => assert.equal(isNotTheData(said), false))
})
