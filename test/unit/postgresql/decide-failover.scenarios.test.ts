/** Interleavings that have to be survived, step by step: `look` decides, `act` carries the decision out later. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { currentPrimary } from '../../../lib/consul/leadership.ts'
import { Cluster, RULES } from './model/cluster.ts'
import { settle, take } from './model/steps.ts'

/** Takes turns written as "step on". */
const play = (cluster: Cluster, ...turns: readonly `${string} ${number}`[]): void => {
  for (const one of turns) {
    const [step = '', on = ''] = one.split(' ')
    take(cluster, { step, on: Number(on) })
  }
}
/** Three machines whose commits wait; n1 is the primary. */
const three = (rules = RULES): Cluster => new Cluster({ size: 3, mode: 'quorum' }, rules)
/** n1 is gone and both WAL receivers have stopped. */
const GONE = ['powerCut 1', 'expire 1', 'run 2', 'run 3'] as const
/** n2 takes the lock, is promoted, is published. */
const N2_LEADS = ['run 2', 'run 2', 'run 2'] as const
const current = (cluster: Cluster): string | undefined => currentPrimary(cluster.consul.leadership)?.node

describe('failover, step by step', () => {
  test('a power cut: with both WAL receivers stopped, the first to see it takes over in three steps', () => {
    const cluster = three()
    play(cluster, 'powerCut 1', 'expire 1', 'run 2', 'run 2')
    assert.equal(cluster.consul.leadership.leader?.session, null, 'n2 alone could not know')
    play(cluster, 'run 3', 'run 2', 'run 2')
    assert.equal(cluster.machines[1]?.role, 'primary')
    assert.equal(current(cluster), undefined)
    play(cluster, 'run 2')
    assert.equal(current(cluster), 'n2')
    play(cluster, 'run 3')
    assert.equal(current(cluster), 'n2')
  })

  test('nothing of ours has run on the other standby: the candidate stops its WAL receiver, and it follows afterwards', () => {
    const cluster = three()
    play(cluster, 'powerCut 1', 'expire 1', 'run 2', 'patience 2', 'run 2')
    const n3 = cluster.machine('n3')
    assert.equal(n3.upstream, null)
    play(cluster, ...N2_LEADS)
    assert.equal(current(cluster), 'n2')
    play(cluster, 'run 3', 'repair 3', 'catchUp 3')
    assert.ok(cluster.streams(n3, cluster.machine('n2')))
  })

  test('a lost session of a healthy primary: it takes the lock back, and its standbys never leave it', () => {
    const cluster = three()
    play(cluster, 'expire 1', 'run 2', 'run 3', 'run 1', 'run 1', 'run 2')
    assert.equal(current(cluster), 'n1')
    const [n1, n2, n3] = cluster.machines
    assert.ok(n1 && n2 && n3)
    assert.ok(cluster.streams(n2, n1) && cluster.streams(n3, n1))
    assert.equal(cluster.consul.publications.at(-1)?.timeline, 1)
  })

  test('a primary without Consul keeps its standbys for a while; then they leave it, it stops, and one of them leads', () => {
    const cluster = three()
    play(cluster, 'cut 1', 'expire 1', 'run 2', 'run 3', 'fence 1', 'fence 1', 'fence 1')
    play(cluster, 'write 1', 'catchUp 2')
    assert.equal(cluster.ledger.acknowledged, 1, 'with standbys it goes on')
    play(cluster, 'patience 2', 'patience 3', 'run 2', 'run 3', 'write 1', 'catchUp 2', 'catchUp 3')
    assert.equal(cluster.ledger.acknowledged, 1, 'without them it acknowledges nothing')
    play(cluster, 'patience 2', 'run 2', 'run 2')
    assert.equal(current(cluster), undefined)
    play(cluster, 'fence 1', 'fence 1', 'fence 1', ...N2_LEADS)
    assert.equal(cluster.machines[0]?.role, 'down')
    assert.equal(current(cluster), 'n2')
    settle(cluster, [])
    assert.equal(current(cluster), 'n2')
    assert.equal(cluster.machines[0]?.role, 'standby')
  })

  test('a primary that has no connection left: it is alive, so it takes its lock back, and its standbys never leave it', () => {
    const cluster = three()
    play(cluster, 'full 1', 'expire 1', 'run 2', 'run 3', 'run 2', 'run 3')
    assert.equal(cluster.consul.leadership.leader?.session, null, 'a standby took the lock')
    play(cluster, 'run 1', 'run 1', 'write 1', 'catchUp 2')
    assert.equal(current(cluster), 'n1')
    assert.equal(cluster.ledger.acknowledged, 1)
    const [n1, n2, n3] = cluster.machines
    assert.ok(n1 && n2 && n3)
    assert.ok(cluster.streams(n2, n1) && cluster.streams(n3, n1))
  })

  test('a primary without Consul that has no connection left: nobody leads before it has stopped', () => {
    const cluster = three()
    play(cluster, 'full 1', 'cut 1', 'expire 1', 'run 2', 'run 3', 'patience 2', 'patience 3')
    play(cluster, 'run 2', 'run 3', 'patience 2', 'run 2', 'run 2', 'run 2')
    assert.equal(cluster.consul.leadership.leader?.session, null, 'n2 took the lock')
    play(cluster, 'fence 1', 'fence 1', 'fence 1', ...N2_LEADS)
    assert.equal(cluster.machines[0]?.role, 'down')
    assert.equal(current(cluster), 'n2')
  })

  test('a primary that recovers from a crash in time takes its lock back', () => {
    const cluster = three()
    play(
      cluster,
      'recover 1',
      'expire 1',
      'run 2',
      'run 3',
      'run 2',
      'run 3',
      'recovered 1',
      'run 1',
      'run 1',
    )
    assert.equal(current(cluster), 'n1')
    assert.equal(cluster.consul.publications.at(-1)?.timeline, 1)
  })

  test('a primary that recovers for long is replaced, and acknowledges nothing when it has recovered', () => {
    const cluster = three()
    play(cluster, 'recover 1', 'expire 1', 'run 2', 'run 3', 'patience 2', 'patience 3', 'run 2', 'run 3')
    play(cluster, ...N2_LEADS)
    assert.equal(current(cluster), 'n2')
    play(cluster, 'recovered 1', 'write 1', 'run 1', 'link 3', 'receive 3')
    assert.equal(cluster.ledger.acknowledged, 0)
    settle(cluster, [])
    assert.equal(current(cluster), 'n2')
    assert.equal(cluster.machines[0]?.role, 'standby')
  })

  test('a primary has recovered after its standbys have left it: it has to stop before another one leads', () => {
    const cluster = three()
    play(cluster, 'recover 1', 'expire 1', 'run 2', 'run 3', 'patience 2', 'patience 3', 'run 2', 'run 3')
    play(cluster, 'recovered 1', 'run 2', 'run 2', 'run 2')
    assert.equal(cluster.consul.leadership.leader?.session, null, 'n2 took the lock')
    play(cluster, 'run 1', 'run 1', 'run 2', 'run 3')
    assert.equal(current(cluster), 'n1')
  })

  test('a primary that stopped because it was cut off starts again where nobody has taken over', () => {
    const cluster = three()
    play(cluster, 'isolate 1', 'expire 1', 'fence 1', 'fence 1', 'fence 1')
    assert.equal(cluster.machines[0]?.role, 'down')
    play(cluster, 'isolate 1', 'lookBeforeStart 1', 'start 1')
    assert.equal(cluster.machines[0]?.role, 'down', 'nobody but rejoin starts it')
    play(cluster, 'repair 1', 'start 1', 'lookBeforeStart 1', 'start 1', 'run 1', 'run 1', 'run 2', 'run 3')
    assert.equal(current(cluster), 'n1')
    assert.equal(cluster.consul.publications.at(-1)?.timeline, 1)
  })

  test('two candidates look at the same moment: one of them leads', () => {
    const cluster = three()
    play(cluster, ...GONE, 'patience 2', 'patience 3', 'look 2', 'look 3', 'act 3', 'act 2')
    play(cluster, 'run 2', 'run 3', 'run 2', 'run 3')
    assert.equal(current(cluster), 'n3')
    assert.equal(cluster.machines[1]?.role, 'standby')
  })

  test('killed after the promotion: the next run publishes', () => {
    const cluster = three()
    play(cluster, ...GONE, 'run 2', 'look 2', 'act 2', 'look 2', 'look 2', 'act 2')
    assert.equal(current(cluster), 'n2')
  })

  test('the session ends between promotion and publication, and the former primary stays away', () => {
    const cluster = three()
    const [former] = cluster.machines
    assert.ok(former)
    play(cluster, ...GONE, 'run 2', 'run 2', 'expire 2')
    settle(cluster, [former])
    assert.ok(cluster.serving(), 'nobody serves, though two of three machines are well')
  })

  test('the session ends between promotion and publication, and the former primary is back', () => {
    const cluster = three()
    play(cluster, ...GONE, 'run 2', 'run 2', 'expire 2')
    settle(cluster, [])
    assert.deepEqual(
      cluster.machines.map(({ role }) => role).sort(),
      ['primary', 'standby', 'standby'],
      'exactly one runs as a primary',
    )
    assert.ok(cluster.serving())
  })

  test('the former primary carries out an old decision to take its lock, after its successor has lost it', () => {
    const cluster = three()
    // n1 is frozen with "lock" decided while n2 takes over; n2 loses its session as n1 goes on.
    play(cluster, 'mute 1', 'expire 1', 'look 1', 'run 2', 'run 3', ...N2_LEADS)
    assert.equal(current(cluster), 'n2')
    play(cluster, 'write 2', 'expire 2', 'act 1', 'run 1')
    const last = cluster.consul.publications.at(-1)
    assert.equal(
      last?.node,
      'n2',
      `${last?.node} was published on timeline ${last?.timeline} over timeline 2 of n2`,
    )
    settle(cluster, [])
    assert.equal(current(cluster), 'n2')
  })

  test('a former primary took the lock by an old decision and gave it back: it keeps nobody from succeeding n2', () => {
    const cluster = three()
    play(cluster, 'mute 1', 'expire 1', 'look 1', 'run 2', 'run 3', ...N2_LEADS)
    play(cluster, 'repair 3', 'catchUp 3', 'upkeep 2', 'upkeep 2')
    assert.deepEqual(cluster.consul.sync.voters, ['n3'])
    play(cluster, 'expire 2', 'act 1', 'run 1', 'powerCut 2')
    settle(
      cluster,
      cluster.machines.filter(({ node }) => node === 'n2'),
    )
    assert.equal(current(cluster), 'n3')
    assert.equal(cluster.machines[0]?.role, 'standby')
  })

  test('another machine has published between look and act: the old decision to publish comes to nothing', () => {
    const cluster = three()
    play(cluster, ...GONE, 'run 2', 'run 2', 'look 2')
    assert.equal(cluster.machines[1]?.failover?.do, 'publish')
    const [first] = cluster.consul.publications
    assert.ok(first)
    const other = { ...first, node: 'n3', timeline: 5 }
    cluster.consul.publish(cluster.consul.session('n2', 'leader'), other, first)
    cluster.consul.publications.push(other)
    cluster.act(cluster.machine('n2'))
    assert.deepEqual(cluster.consul.publications.at(-1), other)
  })
})

describe('who may be promoted, step by step', () => {
  test('a standby that lags is not named any more, and waits for the one that is', () => {
    const cluster = three()
    play(cluster, 'unlink 3', 'upkeep 1', 'upkeep 1', 'write 1', 'catchUp 2')
    assert.equal(cluster.ledger.acknowledged, 1)
    play(cluster, 'powerCut 1', 'expire 1', 'run 3', 'patience 3', 'run 3', 'run 3')
    assert.equal(current(cluster), undefined)
    play(cluster, 'run 2', ...N2_LEADS)
    assert.equal(current(cluster), 'n2')
  })

  test('a primary that has gone on alone: nobody else leads until it is back, as nobody has what it acknowledged', () => {
    const cluster = three()
    play(cluster, 'isolate 2', 'isolate 3', 'upkeep 1', 'upkeep 1', 'write 1')
    assert.equal(cluster.ledger.acknowledged, 1)
    play(cluster, 'powerCut 1', 'isolate 2', 'isolate 3')
    settle(
      cluster,
      cluster.machines.filter(({ node }) => node === 'n1'),
    )
    assert.equal(current(cluster), undefined)
    settle(cluster, [])
    assert.equal(current(cluster), 'n1')
  })

  test('a new primary waits for a standby, and names nobody in its place, before one has caught up', () => {
    const cluster = three()
    play(cluster, ...GONE, ...N2_LEADS)
    assert.deepEqual(cluster.consul.sync.voters, [])
    assert.deepEqual(cluster.machines[1]?.commit, { standbys: ['n1', 'n3'], count: 1 })
    play(cluster, 'write 2')
    assert.equal(cluster.ledger.acknowledged, 0)
    play(cluster, 'repair 3', 'catchUp 3', 'upkeep 2', 'upkeep 2')
    assert.equal(cluster.ledger.acknowledged, 1)
    assert.deepEqual(cluster.consul.sync.voters, ['n3'])
  })

  /** n3 was about to go back to n1, which had its lock again for a moment, when n2 counts its WAL receiver as stopped. */
  const backToTheFormer = (cluster: Cluster): void => {
    play(cluster, 'mute 1', 'expire 1', 'run 2', 'run 3', 'run 1', 'run 1', 'lookAtReplication 3')
    play(cluster, 'expire 1', 'run 2', 'look 2', 'mute 1', 'repairReplication 3', 'catchUp 3')
    play(cluster, 'write 1', 'catchUp 3', 'act 2', 'run 2')
  }

  test('a standby whose WAL receiver was seen stopped does not go back to who has lost the lock meanwhile', () => {
    const cluster = three()
    backToTheFormer(cluster)
    assert.equal(current(cluster), 'n2')
    assert.equal(cluster.ledger.acknowledged, 0)
  })

  test('the model would notice if it did', () =>
    assert.throws(
      () => backToTheFormer(three({ ...RULES, looksBeforeItPoints: false })),
      /n2 leads without commit|n1 acknowledges/,
    ))

  test('one that was promoted and not published does not take the lock by an old decision: others have led since', () => {
    const cluster = three()
    // n2 is frozen with "lock" decided; n1 is back meanwhile, acknowledges a commit with n3, and loses its lock as n2 goes on.
    play(cluster, ...GONE, 'run 2', 'run 2', 'expire 2', 'look 2')
    play(cluster, 'boot 1', 'lookBeforeStart 1', 'start 1', 'lookBeforeStart 1', 'start 1', 'run 1', 'run 1')
    play(cluster, 'repair 3', 'catchUp 3', 'write 1', 'catchUp 3')
    assert.equal(cluster.ledger.acknowledged, 1)
    play(cluster, 'expire 1', 'act 2', 'run 2')
    settle(cluster, [])
    assert.equal(current(cluster), 'n1')
  })

  /** n3 is off while n2 succeeds n1, and still points at n1 when that one is promoted on timeline 3 and loses the lock. */
  const pointsAtUnpublished = (cluster: Cluster): void => {
    play(cluster, 'powerCut 3', 'upkeep 1', 'upkeep 1', 'mute 1', 'expire 1', 'run 2', ...N2_LEADS)
    play(cluster, 'mute 1', 'repair 1', 'catchUp 1', 'upkeep 2', 'upkeep 2')
    play(cluster, 'mute 2', 'expire 2', 'run 1', 'run 1', 'run 1')
    play(cluster, 'boot 3', 'lookBeforeStart 3', 'start 3', 'catchUp 3', 'expire 1')
    // n2 goes on, and n1, a copy of it by now, succeeds it on another timeline 3.
    play(cluster, 'mute 2', 'run 2', 'run 2', 'write 2', 'repair 1', 'catchUp 1', 'upkeep 2', 'upkeep 2')
    play(cluster, 'mute 2', 'expire 2', 'run 1', 'run 1', 'run 1', 'run 1')
    assert.equal(current(cluster), 'n1')
    play(cluster, 'catchUp 3')
    settle(cluster, [])
  }

  test('a standby that points at one that was promoted streams nothing from it before that is published', () => {
    const cluster = three()
    pointsAtUnpublished(cluster)
    assert.ok(cluster.streams(cluster.machine('n3'), cluster.machine('n1')))
  })

  test('the model would notice what comes of it: another timeline of the same number', () =>
    assert.throws(
      () => pointsAtUnpublished(three({ ...RULES, evictsStandbys: false })),
      /streams what does not fit/,
    ))
})
