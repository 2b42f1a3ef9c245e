import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN, type Unknown } from '../../../lib/core/unknown.ts'
import {
  AGENT_AWAY_MS,
  decideFailover,
  type FailoverFacts,
  type FailoverPlan,
  type Peer,
  SILENT_AGAIN_MS,
  SILENT_MS,
  SILENT_PEER_MS,
  SILENT_VOTERS_MS,
  TAKE_BACK_MS,
} from '../../../lib/postgresql/decide-failover.ts'
import type { Sync } from '../../../lib/postgresql/manifest.ts'
import type { LocalDatabase, ProbedDatabase } from '../../../lib/postgresql/role.ts'
import { lock, published } from '../support/documents.ts'

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5']
const SELF = 'n2'
const small = fc.integer({ min: 1, max: 3 })
const unknown = fc.constant<Unknown>(UNKNOWN)

const database: fc.Arbitrary<LocalDatabase> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ role: fc.constant('down' as const) }) },
  { weight: 3, arbitrary: fc.record({ role: fc.constant('primary' as const), timeline: small }) },
  {
    weight: 6,
    arbitrary: fc.record({
      role: fc.constant('standby' as const),
      timeline: small,
      receivedLsn: small.map(BigInt),
      replayedLsn: small.map(BigInt),
      receiverStopped: fc.nat(3).map((one) => one > 0),
    }),
  },
)
const alive: fc.Arbitrary<ProbedDatabase> = fc.record({
  role: fc.constant('alive' as const),
  sqlstate: fc.constantFrom('53300', '28P01', '57P03'),
  says: fc.constant('a test'),
})
const probed: fc.Arbitrary<ProbedDatabase> = fc.oneof(
  { weight: 5, arbitrary: database },
  { weight: 1, arbitrary: alive },
)
const seldom = <T, U>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<U>): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: rare })

const peers: fc.Arbitrary<Peer[]> = fc.subarray(['n1', 'n3', 'n4', 'n5']).chain((nodes) =>
  fc.tuple(
    ...nodes.map((node) =>
      fc.record({
        node: fc.constant(node),
        repmgrId: fc.constant(Number(node.slice(1))),
        vipPriority: fc.constantFrom(80, 90, 100),
        leadsConsul: fc.boolean(),
        healthy: seldom(fc.constant(true), fc.constant(false)),
        database: seldom(probed, unknown),
      }),
    ),
  ),
)

/** Rules that let us be promoted are the usual case. */
const sync: fc.Arbitrary<Sync> = fc.record({
  schema: fc.constant(1),
  node: fc.constantFrom(...NODES),
  voters: seldom(
    fc.subarray(['n1', 'n3', 'n4', 'n5']).map((others) => [SELF, ...others]),
    fc.subarray(['n1', 'n3', 'n4', 'n5']),
  ),
  need: small,
  waits: fc.boolean(),
})

/** Facts of every kind, also such as should never come together; free locks and locks of our own are the usual case. */
const anyFacts: fc.Arbitrary<FailoverFacts> = fc.record({
  self: fc.record({
    node: fc.constant(SELF),
    repmgrId: fc.constant(2),
    vipPriority: fc.constantFrom(80, 90, 100),
    leadsConsul: fc.boolean(),
  }),
  leader: seldom(
    fc
      .tuple(fc.constantFrom(...NODES), fc.constantFrom(null, 'own', 'start', 'theirs'), small)
      .map((one) => lock(...one)),
    fc.constantFrom(null, UNKNOWN),
  ),
  ownSessions: seldom(
    fc.constant(['own', 'start']),
    fc.constantFrom<readonly string[] | Unknown>([], UNKNOWN),
  ),
  startSessions: fc.constantFrom([], ['start']),
  primary: seldom(
    fc.tuple(fc.constantFrom(...NODES), small, small).map((one) => published(...one)),
    fc.constantFrom(null, UNKNOWN),
  ),
  sync: seldom(sync, fc.constantFrom(null, UNKNOWN)),
  confirmed: fc.constant(null),
  local: seldom(database, unknown),
  primaryDatabase: fc.oneof(unknown, database, alive),
  silentMs: fc.constantFrom(0, SILENT_MS, SILENT_AGAIN_MS),
  hasAnswered: fc.boolean(),
  peers,
  waitedMs: fc.constantFrom(0, TAKE_BACK_MS - 1, Math.max(TAKE_BACK_MS, SILENT_PEER_MS)),
  heldMs: fc.constantFrom(0, SILENT_VOTERS_MS),
  primaryFails: fc.boolean(),
  unlockedMs: fc.constantFrom(0, AGENT_AWAY_MS),
  promotionFailed: fc.boolean(),
})

/** What must hold of every plan. */
const always = (caption: string, check: (facts: FailoverFacts, plan: FailoverPlan) => void): void => {
  test(caption, () =>
    fc.assert(
      fc.property(anyFacts, (facts) => check(facts, decideFailover(facts))),
      { numRuns: 5000 },
    ),
  )
}
const certain = <T>(fact: T | Unknown): T => {
  assert.notEqual(fact, UNKNOWN)
  return fact as T
}
const holderOf = ({ leader }: FailoverFacts): string | null => certain(leader)?.session ?? null
type Standby = LocalDatabase & { role: 'standby' }
const isAhead = (one: Standby, other: Standby): boolean =>
  one.timeline !== other.timeline ? one.timeline > other.timeline : one.receivedLsn > other.receivedLsn
const isStandby = ({ local }: FailoverFacts): boolean => local !== UNKNOWN && local.role === 'standby'
/** Plans that bring a new primary about. */
const takesOver = (facts: FailoverFacts, plan: FailoverPlan): boolean =>
  plan.do === 'promote' || (plan.do === 'lock' && isStandby(facts))
const acts = (plan: FailoverPlan): boolean => !['settled', 'leave', 'wait', 'watch'].includes(plan.do)

/** A primary that runs, is not the published one and was not promoted under the lock after it: it was replaced. */
function isStray({ leader, primary, local }: FailoverFacts): boolean {
  if (primary === UNKNOWN || local === UNKNOWN || local.role !== 'primary') return false
  const lastHolder = leader === UNKNOWN ? undefined : leader?.value.node
  if (primary === null || primary.node === SELF) return false
  return local.timeline <= primary.timeline || lastHolder !== SELF
}

describe('failover, always', () => {
  always('a primary that was replaced does nothing but give back the lock', (facts, plan) => {
    if (!isStray(facts)) return
    assert.ok(!acts(plan) || plan.do === 'unlock', plan.do)
    if (facts.leader === UNKNOWN || facts.ownSessions === UNKNOWN) return
    const holder = holderOf(facts)
    const holds = holder !== null && facts.ownSessions.includes(holder)
    assert.equal(plan.do === 'unlock', holds)
  })

  always('a running primary gives the lock back only where it was replaced', (facts, plan) => {
    if (plan.do === 'unlock' && !isStandby(facts)) assert.ok(isStray(facts))
  })

  always(
    'acts only when it knows the lock, the published primary, its own sessions and its own database',
    (facts, plan) => {
      if (!acts(plan)) return
      certain(facts.leader)
      assert.ok(certain(facts.primary))
      certain(facts.ownSessions)
      assert.notEqual(certain(facts.local).role, 'down')
    },
  )

  always('takes the lock only where it is free', (facts, plan) => {
    if (plan.do === 'lock') assert.equal(holderOf(facts), null)
  })

  always(
    'promotes, publishes, adopts and gives back only with the lock in a session of its own',
    (facts, plan) => {
      if (!('session' in plan)) return
      assert.equal(plan.session, holderOf(facts))
      assert.ok(certain(facts.ownSessions).includes(plan.session))
    },
  )

  always('leaves a lock that others hold alone', (facts, plan) => {
    if (facts.leader === UNKNOWN || facts.ownSessions === UNKNOWN) return
    const holder = holderOf(facts)
    if (holder !== null && !facts.ownSessions.includes(holder)) assert.ok(!acts(plan))
  })

  always('promotes standbys, publishes primaries', (facts, plan) => {
    if (plan.do === 'promote') assert.equal(certain(facts.local).role, 'standby')
    if (plan.do === 'publish' || plan.do === 'adopt') assert.equal(certain(facts.local).role, 'primary')
  })

  always('does not take over while the database of the published primary answers as one', (facts, plan) => {
    if (!takesOver(facts, plan) || certain(facts.primary)?.node === SELF) return
    assert.ok(facts.primaryDatabase === UNKNOWN || facts.primaryDatabase.role !== 'primary')
  })

  always(
    'does not take over while the published primary is alive, unless that lets nobody in and has had its time',
    (facts, plan) => {
      if (!takesOver(facts, plan) || certain(facts.primary)?.node === SELF) return
      if (facts.primaryDatabase === UNKNOWN || facts.primaryDatabase.role !== 'alive') return
      assert.equal(facts.primaryDatabase.sqlstate, '57P03')
      assert.ok(facts.waitedMs >= TAKE_BACK_MS)
    },
  )

  always('does not take over from behind the published timeline', (facts, plan) => {
    if (!takesOver(facts, plan)) return
    const local = certain(facts.local)
    assert.ok(local.role === 'standby' && local.timeline >= (certain(facts.primary)?.timeline ?? 0))
  })

  always(
    'does not take over where the rule does not name us, or while we take anything from anybody',
    (facts, plan) => {
      if (!takesOver(facts, plan)) return
      assert.ok(certain(facts.sync)?.voters.includes(SELF))
      const own = certain(facts.local)
      assert.ok(own.role === 'standby' && own.receiverStopped)
    },
  )

  always(
    'does not take over but with as many WAL receivers of voters stopped as the rule says, none of them ahead',
    (facts, plan) => {
      if (!takesOver(facts, plan)) return
      const { voters, need } = certain(facts.sync) ?? assert.fail()
      const own = certain(facts.local)
      assert.ok(own.role === 'standby')
      const stopped = facts.peers.flatMap(({ node, database: theirs }) =>
        voters.includes(node) && theirs !== UNKNOWN && theirs.role === 'standby' && theirs.receiverStopped
          ? [theirs]
          : [],
      )
      assert.ok(stopped.length + 1 >= need, `${stopped.length + 1} of ${need}`)
      // Where one is enough, commits did not wait: one that cannot take the lock would be waited for for ever.
      if (need > 1) for (const theirs of stopped) assert.ok(!isAhead(theirs, own))
    },
  )

  always(
    'does not take over while a healthy voter is ahead, or a member may still publish itself',
    (facts, plan) => {
      if (!takesOver(facts, plan)) return
      const own = certain(facts.local)
      assert.ok(own.role === 'standby')
      const primary = certain(facts.primary)
      const lastHolder = certain(facts.leader)?.value.node
      for (const { node, healthy, database: theirs } of facts.peers) {
        if (!healthy || theirs === UNKNOWN || node === primary?.node) continue
        if (theirs.role === 'primary')
          assert.ok(node !== lastHolder || theirs.timeline <= (primary?.timeline ?? 0))
        if (theirs.role === 'standby' && certain(facts.sync)?.voters.includes(node))
          assert.ok(!isAhead(theirs, own))
      }
    },
  )

  always(
    'stops its WAL receiver only where it may be promoted or the primary has had its time, and one that is alive has had it',
    (facts, plan) => {
      if (plan.do !== 'stop-receiver') return
      const own = certain(facts.local)
      assert.ok(own.role === 'standby' && !own.receiverStopped)
      if (facts.waitedMs >= TAKE_BACK_MS) return
      assert.ok(certain(facts.sync)?.voters.includes(SELF))
      assert.ok(own.timeline >= (certain(facts.primary)?.timeline ?? 0))
      if (certain(facts.primary)?.node === SELF || facts.primaryDatabase === UNKNOWN) return
      assert.ok(!['primary', 'alive'].includes(facts.primaryDatabase.role))
    },
  )

  always(
    'stops no WAL receivers but those of voters, once its own has stopped and the primary is gone',
    (facts, plan) => {
      if (plan.do !== 'stop-other-receivers') return
      const { voters, need } = certain(facts.sync) ?? assert.fail()
      const own = certain(facts.local)
      assert.ok(own.role === 'standby' && own.receiverStopped && voters.includes(SELF) && need > 1)
      assert.ok(plan.nodes.length > 0)
      for (const one of plan.nodes) {
        const theirs = facts.peers.find(({ node }) => node === one)?.database
        assert.ok(voters.includes(one) && theirs && theirs !== UNKNOWN)
        assert.ok(theirs.role === 'standby' && !theirs.receiverStopped)
      }
      if (certain(facts.primary)?.node === SELF || facts.primaryDatabase === UNKNOWN) return
      assert.notEqual(facts.primaryDatabase.role, 'primary')
    },
  )

  // It leaves, so whoever waits for it waits for ever.
  always('waits for no member that was replaced, or not for long', (facts, plan) => {
    if (facts.primary === UNKNOWN || facts.primary === null || !isStandby(facts)) return
    if (facts.waitedMs < SILENT_PEER_MS) return
    const { timeline } = facts.primary
    const without = facts.peers.filter(
      ({ database: theirs }) => theirs === UNKNOWN || theirs.role !== 'primary' || theirs.timeline > timeline,
    )
    assert.deepEqual(plan, decideFailover({ ...facts, peers: without }))
  })

  always(
    'does not publish over another machine but from a later timeline, as the last holder of the lock',
    (facts, plan) => {
      if (plan.do !== 'publish') return
      const primary = certain(facts.primary)
      assert.ok(primary)
      const what = `timeline ${plan.timeline} over timeline ${primary.timeline} of ${primary.node}`
      assert.ok(primary.node === SELF || plan.timeline > primary.timeline, what)
      assert.ok(primary.node === SELF || certain(facts.leader)?.value.node === SELF)
    },
  )

  always('publishes what it runs and what it holds', (facts, plan) => {
    if (plan.do !== 'publish') return
    const local = certain(facts.local)
    assert.ok(local.role === 'primary')
    assert.equal(plan.timeline, local.timeline)
    const { lockIndex, modifyIndex } = certain(facts.leader) ?? {}
    assert.deepEqual(plan.lock, { lockIndex, modifyIndex })
    assert.deepEqual(plan.replaces, facts.primary)
  })
})
