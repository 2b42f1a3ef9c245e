/** Interleavings that have to be survived, step by step: `look` decides, `act` carries the decision out later. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { currentPrimary } from '../../../lib/decide/facts.ts'
import { Cluster } from './model/cluster.ts'
import { settle, take } from './model/steps.ts'

/** Takes turns written as "step on". */
const play = (cluster: Cluster, ...turns: readonly `${string} ${number}`[]): void => {
  for (const one of turns) {
    const [step = '', on = ''] = one.split(' ')
    take(cluster, { step, on: Number(on) })
  }
}
const current = (cluster: Cluster): string | undefined => currentPrimary(cluster.consul.leadership)?.node

describe('failover, step by step', () => {
  test('a power cut: the first to see it takes over in three steps', () => {
    const cluster = new Cluster(3)
    play(cluster, 'powerCut 1', 'expire 1', 'run 2')
    assert.equal(current(cluster), undefined)
    play(cluster, 'run 2')
    assert.equal(cluster.machines[1]?.role, 'primary')
    assert.equal(current(cluster), undefined)
    play(cluster, 'run 2')
    assert.equal(current(cluster), 'n2')
    play(cluster, 'run 3')
    assert.equal(current(cluster), 'n2')
  })

  test('a lost session of a healthy primary: it takes the lock back, nobody else does', () => {
    const cluster = new Cluster(3)
    play(cluster, 'expire 1', 'run 2', 'run 3', 'run 1', 'run 1', 'run 2')
    assert.equal(current(cluster), 'n1')
    assert.equal(cluster.serving()?.timeline, 1)
  })

  test('two candidates look at the same moment: one of them leads', () => {
    const cluster = new Cluster(3)
    for (const machine of cluster.machines) machine.waitedMs = 60_000
    play(
      cluster,
      'powerCut 1',
      'expire 1',
      'look 2',
      'look 3',
      'act 3',
      'act 2',
      'run 2',
      'run 3',
      'run 2',
      'run 3',
    )
    assert.equal(current(cluster), 'n3')
    assert.equal(cluster.machines[1]?.role, 'standby')
  })

  test('killed after the promotion: the next run publishes', () => {
    const cluster = new Cluster(3)
    play(cluster, 'powerCut 1', 'expire 1', 'run 2', 'look 2', 'act 2', 'look 2', 'look 2', 'act 2')
    assert.equal(current(cluster), 'n2')
  })

  test('the session ends between promotion and publication, and the former primary stays away', () => {
    const cluster = new Cluster(3)
    const [former] = cluster.machines
    assert.ok(former)
    play(cluster, 'powerCut 1', 'expire 1', 'run 2', 'run 2', 'expire 2')
    settle(cluster, [former])
    assert.ok(cluster.serving(), 'nobody serves, though two of three machines are well')
  })

  test('the session ends between promotion and publication, and the former primary is back', () => {
    const cluster = new Cluster(3)
    play(cluster, 'powerCut 1', 'expire 1', 'run 2', 'run 2', 'expire 2')
    settle(cluster, [])
    assert.deepEqual(
      cluster.machines.map(({ role }) => role).sort(),
      ['primary', 'standby', 'standby'],
      'exactly one runs as a primary',
    )
    assert.ok(cluster.serving())
  })

  test('the former primary carries out an old decision to take its lock, after its successor has lost it', () => {
    const cluster = new Cluster(3)
    // n1 is frozen with "lock" decided while n2 takes over; n2 loses its session as n1 goes on.
    play(cluster, 'mute 1', 'expire 1', 'look 1', 'run 2', 'run 2', 'run 2')
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
    const cluster = new Cluster(3)
    play(cluster, 'mute 1', 'expire 1', 'look 1', 'run 2', 'run 2', 'run 2', 'rejoin 3')
    play(cluster, 'expire 2', 'act 1', 'run 1', 'powerCut 2')
    settle(
      cluster,
      cluster.machines.filter(({ node }) => node === 'n2'),
    )
    assert.equal(current(cluster), 'n3')
    assert.equal(cluster.machines[0]?.role, 'standby')
  })

  test('another machine has published between look and act: the old decision to publish comes to nothing', () => {
    const cluster = new Cluster(3)
    play(cluster, 'powerCut 1', 'expire 1', 'run 2', 'run 2', 'look 2')
    assert.equal(cluster.machines[1]?.failover?.do, 'publish')
    const [first] = cluster.consul.publications
    assert.ok(first)
    const other = { ...first, node: 'n3', timeline: 5 }
    cluster.consul.publish(cluster.consul.session('n2', 'leader'), other, first)
    play(cluster, 'act 2')
    assert.deepEqual(cluster.consul.publications.at(-1), other)
  })
})
