/** One scenario for each fault, some for faults that overlap, and some for other kinds of clusters. */
import { AGENT_AWAY_MS } from '../../../lib/postgresql/decide-failover.ts'
import type { Suite } from '../lib/state.ts'
import type { FaultName } from './catalogue.ts'
import { type ClusterKind, USUAL } from './cluster-kind.ts'
import type { Role } from './fault.ts'
import type { Scenario } from './scenario.ts'

/** From a fault of the primary to the first row that another one acknowledges: the most, and what is waited for. */
const FAILOVER_MS = 10_000
/** The same where commits do not wait: a machine that is silent may have to stop itself first. */
const FENCED_FAILOVER_MS = 25_000
/** How long a machine that thaws acknowledges, where commits do not wait, after another one has begun. */
const THAWED_MS = 5000
const PATIENCE_MS = 60_000
/** The same where the primary has to stop first. */
const FENCED_MS = 20_000
/** The same for clients of an address that a machine without Consul and PostgreSQL gives up by itself. */
const GIVEN_UP_MS = 12_000
/** Until a daemon that hangs is ended: two looks of the check, which come every 15 s, and a start. */
const HUNG_MS = 60_000
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

/** A failover while something hangs on one of the machines that could take over. */
const hungAtFailover = (fault: FaultName): Scenario => ({
  name: `${fault}-standby`,
  steps: [
    { fault, on: 'standby' },
    { fault: 'power-cut', on: 'primary' },
  ],
  lasts: { untilPromotedMs: PATIENCE_MS },
  primary: 'another',
})

/** The same on another kind of cluster. */
const onCluster = (cluster: ClusterKind, name: string, scenario: Scenario): Scenario => ({
  ...scenario,
  name,
  cluster,
})

const four: ClusterKind = { ...USUAL, machines: 4 }
const five: ClusterKind = { ...USUAL, machines: 5 }
const strict: ClusterKind = { ...USUAL, durability: 'strict' }
const async: ClusterKind = { ...USUAL, durability: 'async' }

const all: readonly Scenario[] = [
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
  // Its commits wait for standbys that stay with it: nobody else can lead.
  stays('cut-consul', 'primary', 60_000),
  {
    // In the end they leave it, and it stops: only then the virtual IP moves.
    ...failover('cut-consul', FENCED_MS),
    name: 'cut-consul-for-good',
    lasts: { ms: AGENT_AWAY_MS + 60_000 },
  },
  stays('cut-standbys', 'standby'),
  failover('mute'),
  // It can reach nobody's answer: its lock ends, its standbys leave it, and it stops.
  failover('deaf'),
  stays('consul-killed', 'primary'),
  stays('consul-stopped', 'primary', 60_000),
  stays('consul-stopped', 'standby', 20_000),
  {
    // The virtual IP leaves a machine that cannot say any more that it is the primary.
    ...failover('both-stopped', GIVEN_UP_MS),
    lasts: { ms: 30_000 },
  },
  stays('both-stopped', 'standby', 20_000),
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
  {
    name: 'consul-disk-full-primary',
    steps: [{ fault: 'consul-disk-full', on: 'primary' }],
    lasts: { ms: 30_000 },
    primary: 'either',
    longestGapMs: FENCED_MS,
  },
  stays('consul-disk-full', 'standby', 20_000),
  stays('checkpointer-stopped', 'primary', 20_000),
  // The check has to notice it; then the lock goes.
  { ...failover('disk-hung'), lasts: { untilPromotedMs: 90_000 } },
  stays('disk-hung', 'standby'),
  {
    // It is noticed only where Consul's leader is.
    name: 'consul-disk-hung-primary',
    steps: [{ fault: 'consul-disk-hung', on: 'primary' }],
    lasts: { ms: 60_000 },
    primary: 'either',
  },
  stays('consul-disk-hung', 'standby', 20_000),
  sequence('consul-leader-disk-hung', { ms: 0 }, 'either'),
  // It is ended, and started again, before the standbys leave the primary.
  stays('consul-hung', 'primary', AGENT_AWAY_MS),
  stays('consul-hung', 'standby', 20_000),
  stays('pgbouncer-hung', 'primary', 45_000, HUNG_MS),
  stays('keepalived-hung', 'primary', 45_000, HUNG_MS),
  stays('repmgrd-hung', 'primary', 20_000),
  stays('syncthing-hung', 'primary', 20_000),
  hungAtFailover('polkitd-hung'),
  hungAtFailover('dbus-hung'),
  hungAtFailover('journald-hung'),
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
  sequence('standbys-away-then-primary', { ms: 10_000 }, 'either'),
  sequence('alone-then-cut-off', { ms: 0 }, 'same'),
  sequence('candidate-frozen', { ms: 0 }, 'either'),
  sequence('returns-cut-off', { ms: 0 }, 'another'),
  sequence('cold-start', { ms: 0 }, 'either'),
  sequence('cold-start-without-primary', { ms: 0 }, 'another'),
  sequence('unpublished-returns', { untilPromotedMs: PATIENCE_MS }, 'another'),
  sequence('unpublished-stays-away', { ms: 0 }, 'either'),
  sequence('replay-held-up', { untilPromotedMs: PATIENCE_MS }, 'another'),
  sequence('replay-held-up-forever', { untilPromotedMs: PATIENCE_MS }, 'another'),
  sequence('two-failovers', { ms: 0 }, 'another'),
  sequence('rewind-cut', { ms: 0 }, 'another'),
  sequence('rewind-before-checkpoint', { ms: 0 }, 'another'),
  sequence('wal-gone', { ms: 0 }, 'same'),
  sequence('clone-cut', { ms: 0 }, 'same'),
  onCluster(four, 'one-of-four-lost', failover('power-cut', FAILOVER_MS)),
  {
    name: 'two-of-five-lost',
    cluster: five,
    steps: [
      { fault: 'power-cut', on: 'standby' },
      { fault: 'power-cut', on: 'primary' },
    ],
    lasts: { untilPromotedMs: PATIENCE_MS },
    primary: 'another',
    longestGapMs: FAILOVER_MS,
  },
  {
    name: 'two-standbys-of-five-lost',
    cluster: five,
    steps: [
      { fault: 'power-cut', on: 'standby' },
      { fault: 'power-cut', on: 'standby' },
    ],
    lasts: { ms: DETECTED_MS },
    primary: 'same',
    longestGapMs: UNNOTICED_MS,
  },
  onCluster(strict, 'strict-power-cut-primary', failover('power-cut', FAILOVER_MS)),
  onCluster(
    strict,
    'strict-standbys-away-then-primary',
    sequence('standbys-away-then-primary', { untilPromotedMs: PATIENCE_MS }, 'another'),
  ),
  onCluster(async, 'async-power-cut-primary', failover('power-cut', FENCED_FAILOVER_MS)),
  onCluster(async, 'async-cable-pulled-primary', failover('cable-pulled')),
  {
    ...onCluster(async, 'async-frozen-primary', failover('frozen', FENCED_FAILOVER_MS)),
    overlapMs: THAWED_MS,
  },
]

/**
 * What `npm test` plays of them, and on which releases: every promise that faults can break and every kind of fault, in less
 * than eight minutes, and three more on Debian 12. `npm run faults -- --all` plays everything.
 */
const IN_TESTS: Readonly<Record<string, readonly Suite[]>> = {
  'power-cut-primary': ['trixie', 'bookworm'], // S1 to S4, S6, S7
  'cable-pulled-primary': ['trixie'], // the fence; the rewind of a former primary
  'mute-primary': ['trixie'], // the network
  'consul-majority-lost-primary': ['trixie'], // S5
  'handlers-killed': ['trixie'], // S8
  'disk-full-primary': ['trixie'],
  'clock-ahead-primary': ['trixie'],
  'stale-standby': ['trixie'], // S2
  'returns-cut-off': ['trixie'], // S4
  'cold-start': ['trixie'], // S3
  'two-failovers': ['trixie'],
  'rewind-before-checkpoint': ['bookworm'], // PostgreSQL 15 sees no difference then
}

export const scenarios: readonly Scenario[] = all.map((scenario) => {
  const inTests = IN_TESTS[scenario.name]
  return inTests === undefined ? scenario : { ...scenario, inTests }
})
