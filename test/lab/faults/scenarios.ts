/** One scenario for each fault, and some for faults that overlap. */
import type { FaultName } from './catalogue.ts'
import type { Role } from './fault.ts'
import type { Scenario } from './scenario.ts'

/** From a fault of the primary to the first row that another one acknowledges: the most, and what is waited for. */
const FAILOVER_MS = 10_000
const PATIENCE_MS = 60_000
/** The same where the primary has to stop first. */
const FENCED_MS = 20_000
/** A fault that no client should notice; the rest is what a busy host may take. */
const UNNOTICED_MS = 3000
/** Long enough for a failover to come, where none should. */
const DETECTED_MS = 8000

/** A fault that clients get over by a failover. */
const failover = (fault: FaultName, longestGapMs?: number): Scenario => ({
  name: `${fault}-primary`,
  steps: [{ fault, on: 'primary' }],
  lasts: { untilPromotedMs: PATIENCE_MS },
  primary: 'another',
  ...(longestGapMs === undefined ? {} : { longestGapMs }),
})

/** A fault that leaves the primary where it is. */
const stays = (fault: FaultName, on: Role, ms = DETECTED_MS, longestGapMs = UNNOTICED_MS): Scenario => ({
  name: `${fault}-${on}`,
  steps: [{ fault, on }],
  lasts: { ms },
  primary: 'same',
  longestGapMs,
})

/** A fault that is a sequence of its own, and is called what it is. */
const sequence = (fault: FaultName, lasts: Scenario['lasts'], primary: Scenario['primary']): Scenario => ({
  name: fault,
  steps: [{ fault, on: 'primary' }],
  lasts,
  primary,
})

export const scenarios: readonly Scenario[] = [
  failover('power-cut', FAILOVER_MS),
  stays('power-cut', 'standby'),
  // The virtual IP may stay on its side of the cut: the client in the network has to wait for the cable.
  failover('cable-pulled'),
  stays('cable-pulled', 'standby'),
  failover('frozen', FAILOVER_MS),
  stays('frozen', 'standby'),
  stays('postmaster-killed', 'primary', DETECTED_MS, FAILOVER_MS),
  stays('postmaster-killed', 'standby'),
  failover('postmaster-stopped'),
  stays('cut-from-one', 'primary'),
  failover('cut-from-all'),
  {
    // It has five seconds to take its lock back; then its standbys leave it, and it stops: only then the virtual IP moves.
    ...failover('cut-consul', FENCED_MS),
    lasts: { ms: 30_000 },
  },
  stays('cut-standbys', 'standby'),
  failover('mute'),
  stays('consul-killed', 'primary'),
  failover('consul-stopped'),
  stays('consul-stopped', 'standby', 20_000),
  stays('consul-majority-lost', 'primary', 15_000),
  stays('repmgrd-killed', 'primary'),
  {
    name: 'handlers-killed',
    steps: [
      { fault: 'handlers-killed', on: 'standby' },
      { fault: 'power-cut', on: 'primary' },
    ],
    lasts: { ms: 12_000 },
    primary: 'either',
  },
  {
    name: 'disk-full-primary',
    steps: [{ fault: 'disk-full', on: 'primary' }],
    lasts: { ms: 12_000 },
    primary: 'either',
  },
  stays('clock-ahead', 'primary'),
  stays('clock-behind', 'primary'),
  {
    name: 'both-standbys-lost',
    steps: [
      { fault: 'power-cut', on: 'standby' },
      { fault: 'power-cut', on: 'standby', afterMs: 2000 },
    ],
    lasts: { ms: 10_000 },
    primary: 'same',
  },
  {
    name: 'primary-and-standby-lost',
    steps: [
      { fault: 'power-cut', on: 'standby' },
      { fault: 'power-cut', on: 'primary', afterMs: 2000 },
    ],
    lasts: { ms: 10_000 },
    primary: 'either',
  },
  {
    name: 'power-cut-and-consul-killed',
    steps: [
      { fault: 'power-cut', on: 'primary' },
      { fault: 'consul-killed', on: 'standby', afterMs: 1000 },
    ],
    lasts: { untilPromotedMs: PATIENCE_MS },
    primary: 'another',
  },
  sequence('standby-then-primary', { untilPromotedMs: PATIENCE_MS }, 'another'),
  sequence('stale-standby', { ms: 15_000 }, 'either'),
  sequence('standbys-pause-then-primary', { ms: 15_000 }, 'another'),
  sequence('candidate-frozen', { ms: 0 }, 'either'),
  sequence('returns-cut-off', { ms: 0 }, 'another'),
  sequence('cold-start', { ms: 0 }, 'either'),
  sequence('cold-start-without-primary', { ms: 0 }, 'another'),
]
