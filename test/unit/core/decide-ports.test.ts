import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listenersAt, listenersIn } from '../../../lib/core/decide-ports.ts'

/** As Linux prints them, proc_pid_net(5): two that listen on one address each, one on all, and a connection. */
const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 27853 1 0000000000000000 100 0 0 10 0
   1: 00000000:1920 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 27860 1 0000000000000000 100 0 0 10 0
   2: 0C004D0A:20C0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 30111 1 0000000000000000 100 0 0 10 0
   3: 0B004D0A:55F0 0C004D0A:20C0 01 00000000:00000000 00:00000000 00000000     0        0 30222 1 0000000000000000 100 0 0 10 0
`
/** On ::1 only, on all addresses, and on one of IPv4. */
const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 27854 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000000000000:55F0 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41000 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000C004D0A:4C4D 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41001 1 0000000000000000 100 0 0 10 0
`
const listeners = [...listenersIn(tcp), ...listenersIn(tcp6)]

describe('who listens on a port', () => {
  const cases: readonly [string, number, string | null, string[]][] = [
    ['on all addresses, where we want all', 6432, null, ['27860']],
    ['on all addresses, where we want one', 6432, '10.77.0.12', ['27860']],
    ['on one address, where we want all', 5432, null, ['27853']],
    ['on one address, where we want it', 8384, '10.77.0.12', ['30111']],
    ['on one address, where we want another', 8384, '127.0.0.1', []],
    ['on all addresses by way of IPv6', 22000, '10.77.0.12', ['41000']],
    ['on an address of IPv4 by way of IPv6', 19533, '10.77.0.12', ['41001']],
    ['nobody', 8600, null, []],
    ['a connection is nobody who listens', 22001, null, []],
  ]
  for (const [caption, port, address, inodes] of cases)
    test(caption, () => assert.deepEqual(listenersAt(listeners, { port, address }), inodes))
})

test('a table that is empty', () => assert.deepEqual(listenersIn(''), []))
