import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type HotStandbySettings,
  parseHotStandby,
  sayShortages,
  shortagesOf,
} from '../../../lib/postgresql/decide-hot-standby.ts'

const CONTROL = `wal_level setting:                    replica
wal_log_hints setting:                on
max_connections setting:              300
max_worker_processes setting:         32
max_wal_senders setting:              20
max_prepared_xacts setting:           50
max_locks_per_xact setting:           64
track_commit_timestamp setting:       off
`
const own: HotStandbySettings = new Map([
  ['max_connections', 300],
  ['max_worker_processes', 8],
  ['max_wal_senders', 25],
  ['max_prepared_transactions', 0],
  ['max_locks_per_transaction', 64],
])

test('what a standby lacks of what its primary had', () => {
  const shortages = shortagesOf(own, parseHotStandby(CONTROL))
  assert.deepEqual(shortages, [
    { name: 'max_worker_processes', value: 8, needed: 32 },
    { name: 'max_prepared_transactions', value: 0, needed: 50 },
  ])
  assert.equal(
    sayShortages(shortages),
    'max_worker_processes is 8 here and 32 on the primary, max_prepared_transactions is 0 here and 50 on the primary',
  )
})

test('what is not known is no shortage', () => {
  assert.deepEqual(shortagesOf(own, parseHotStandby('')), [])
  assert.deepEqual(shortagesOf(new Map(), parseHotStandby(CONTROL)), [])
})
