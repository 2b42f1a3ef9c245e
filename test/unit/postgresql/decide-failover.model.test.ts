/** The decisions of all machines together, with every step interleaved and every session ending at random. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { currentPrimary } from '../../../lib/consul/leadership.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { commitRule, isSynchronous } from '../../../lib/postgresql/decide-durability.ts'
import { decideFailover, type FailoverFacts, type Peer } from '../../../lib/postgresql/decide-failover.ts'
import type { Sync } from '../../../lib/postgresql/manifest.ts'
import type { LocalDatabase } from '../../../lib/postgresql/role.ts'
import { Cluster, HOLDS_LOCK, RULES, type Rules, type Start } from './model/cluster.ts'
import type { Machine } from './model/machine.ts'
import { settle, type Turn, take, turn } from './model/steps.ts'
import { isBeginning, timelineOf } from './model/wal.ts'

interface Run {
  start: Start
  turns: readonly Turn[]
}

const anyRun: fc.Arbitrary<Run> = fc.record({
  start: fc.record({
    size: fc.integer({ min: 2, max: 5 }),
    mode: fc.constantFrom('quorum', 'quorum', 'strict', 'async'),
  }),
  turns: fc.array(turn, { minLength: 20, maxLength: 150, size: 'max' }),
})

/** Plays it all, and sees after every step that no acknowledged commit is lost. */
function play({ start, turns }: Run, rules: Rules = RULES): Cluster {
  const cluster = new Cluster(start, rules)
  for (const one of turns) take(cluster, one)
  return cluster
}

/** Machines that would tell a client, by fresh facts, that they are the primary. */
const claimants = (cluster: Cluster): string[] =>
  cluster.machines
    .filter((machine) => {
      const { do: next, why } = decideFailover(cluster.facts(machine))
      return next === 'settled' && why === HOLDS_LOCK
    })
    .map(({ node }) => node)

/** Can the machines that are left find a primary by what the rule says? */
function isElectable({ consul, machines, published }: Cluster, gone: readonly Machine[]): boolean {
  if (!gone.includes(published)) return true
  const { voters, need } = consul.sync
  const { timeline = 0 } = consul.publications.at(-1) ?? {}
  const able = machines.filter(
    (one) =>
      voters.includes(one.node) &&
      !gone.includes(one) &&
      // One that was promoted and never published stands by again.
      (one.standbySignal || one.promotedFrom !== null) &&
      timelineOf(one.wal) >= timeline,
  )
  return able.length >= need
}

describe('failover on several machines', () => {
  test('no two machines are the primary, and only the current one thinks so', () => {
    fc.assert(
      fc.property(anyRun, ({ start, turns }) => {
        const cluster = new Cluster(start)
        for (const one of turns) {
          take(cluster, one)
          const claims = claimants(cluster)
          const current = currentPrimary(cluster.consul.leadership)
          assert.ok(claims.length <= 1, `two at once: ${claims.join(', ')}`)
          if (claims.length === 1) assert.equal(claims[0], current?.node)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('what is published never goes back: each new primary is on a later timeline', () => {
    fc.assert(
      fc.property(anyRun, (given) => {
        const { publications } = play(given).consul
        for (const [index, now] of publications.entries()) {
          const before = publications[index - 1]
          if (!before) continue
          const forward =
            now.timeline > before.timeline || (now.node === before.node && now.timeline === before.timeline)
          assert.ok(forward, `${before.node} on ${before.timeline}, then ${now.node} on ${now.timeline}`)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('where commits wait, whoever leads has every acknowledged commit, and one that was replaced acknowledges none', () => {
    fc.assert(
      fc.property(anyRun, (given) => {
        fc.pre(isSynchronous(given.start.mode, given.start.size))
        play(given)
      }),
      { numRuns: 4000 },
    )
  })

  test('with all machines back one serves, all others stream from it, and each of them counts', () => {
    fc.assert(
      fc.property(anyRun, (given) => {
        const cluster = play(given)
        settle(cluster, [])
        const serving = cluster.serving()
        assert.ok(serving, 'nobody serves')
        for (const machine of cluster.machines) {
          if (machine === serving) continue
          assert.ok(cluster.streams(machine, serving), `${machine.node} does not stream`)
          assert.ok(isBeginning(serving.wal, machine.wal), `${machine.node} lacks something`)
        }
        const others = cluster.others(serving)
        const { node, voters, need } = cluster.consul.sync
        const waits = isSynchronous(cluster.mode, cluster.machines.length)
        assert.deepEqual([node, voters], [serving.node, others])
        assert.equal(need, waits ? others.length - commitRule(others).count + 1 : 1)
        assert.deepEqual(serving.commit.standbys, waits ? others : [])
      }),
      { numRuns: 2000 },
    )
  })

  test('with a minority gone one serves, where the rule lets those who are left elect it', () => {
    fc.assert(
      fc.property(anyRun, fc.nat(4), (given, first) => {
        const cluster = play(given)
        const { size } = given.start
        const gone = [...cluster.machines, ...cluster.machines]
          .slice(first % size)
          .slice(0, Math.floor((size - 1) / 2))
        fc.pre(gone.length > 0 && isElectable(cluster, gone))
        settle(cluster, gone)
        assert.ok(cluster.serving(), `nobody serves without ${gone.map(({ node }) => node).join(', ')}`)
      }),
      { numRuns: 1000 },
    )
  })
})

/** The real decision, on facts that are seen wrongly. */
const seeing =
  (change: (facts: FailoverFacts) => Partial<FailoverFacts>): Rules['failover'] =>
  (facts) =>
    decideFailover({ ...facts, ...change(facts) })

const withRule = (
  { sync }: FailoverFacts,
  change: (rule: Sync) => Partial<Sync>,
): Pick<FailoverFacts, 'sync'> => ({
  sync: sync === UNKNOWN || sync === null ? sync : { ...sync, ...change(sync) },
})

type Standby = LocalDatabase & { role: 'standby' }
const withPeers = (
  { peers }: FailoverFacts,
  change: (database: Standby) => Partial<Standby>,
): { peers: Peer[] } => ({
  peers: peers.map((peer) =>
    peer.database === UNKNOWN || peer.database.role !== 'standby'
      ? peer
      : { ...peer, database: { ...peer.database, ...change(peer.database) } },
  ),
})

const LOST = /leads without commit|acknowledges, and/

const mistakes: readonly (readonly [caption: string, mistake: Partial<Rules>, noticed: RegExp])[] = [
  [
    'a promotion that fewer have agreed to than must be seen',
    { failover: seeing((facts) => withRule(facts, ({ need }) => ({ need: need - 1 }))) },
    LOST,
  ],
  [
    'a promotion of whom the rule does not name',
    {
      failover: seeing((facts) =>
        withRule(facts, ({ voters }) => ({ voters: [...voters, facts.self.node] })),
      ),
    },
    LOST,
  ],
  [
    'a voter that is counted while it still receives',
    { failover: seeing((facts) => withPeers(facts, () => ({ receiverStopped: true }))) },
    LOST,
  ],
  [
    'a voter that has received more',
    { failover: seeing((facts) => withPeers(facts, () => ({ receivedLsn: 0n }))) },
    LOST,
  ],
  [
    'what was promoted and not published, and then rewound where it should be copied',
    { marksPromotion: false },
    /streams what does not fit/,
  ],
]

describe('the model notices', () => {
  for (const [caption, mistake, noticed] of mistakes) {
    test(caption, () => {
      const property = fc.property(anyRun, (given) => {
        play(given, { ...RULES, ...mistake })
      })
      const { errorInstance } = fc.check(property, { numRuns: 50_000, endOnFailure: true })
      assert.match(errorInstance instanceof Error ? errorInstance.message : 'nothing', noticed)
    })
  }
})
