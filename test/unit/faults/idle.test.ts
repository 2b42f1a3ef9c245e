import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSample, sharesBetween } from '../../lab/bench/idle.ts'

const BEFORE = `group . 900000
group system.slice 800000
group system.slice/consul.service 500000
group system.slice/ended.service 100000
daemon consul 200000 300000
daemon postmaster 10000 40000
at 1000000
`
/** Ten seconds later. One unit has ended, and one has begun. */
const AFTER = `group . 1900000
group system.slice 1400000
group system.slice/consul.service 700000
group system.slice/new.service 50000
daemon consul 250000 450000
daemon postmaster 20000 60000
at 11000000
`

test('shares of a processor, of what lives and of what has ended', () => {
  const shares = sharesBetween(parseSample(BEFORE), parseSample(AFTER), 1000)
  const rounded = Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, share.toFixed(2)]))
  assert.deepEqual(rounded, {
    checks: '1.50',
    // 600000 in the slice, of which the two that live have used 250000.
    units: '3.50',
    // 30000 microseconds, of which repmgrd has caused 1000 in each second.
    sessions: '0.20',
    repmgrd: '0.10',
    ours: '5.20',
    consul: '0.50',
    machine: '10.00',
  })
})

test('a sample without a daemon is none', () => {
  assert.throws(() => parseSample(BEFORE.replace('daemon consul', '')), /there is no consul/)
})
