/** The decisions of all machines together, with every step interleaved and every session ending at random. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { currentPrimary } from '../../../lib/decide/facts.ts'
import { decideFailover } from '../../../lib/decide/failover.ts'
import { Cluster } from './model/cluster.ts'
import type { Machine } from './model/machine.ts'
import { settle, take, turn } from './model/steps.ts'

const run = fc.record({
  size: fc.integer({ min: 2, max: 5 }),
  turns: fc.array(turn, { minLength: 20, maxLength: 150, size: 'max' }),
})

/** Machines that would tell a client, by fresh facts, that they are the primary. */
const claimants = (cluster: Cluster): string[] =>
  cluster.machines
    .filter((machine) => {
      const { do: next, why } = decideFailover(cluster.facts(machine))
      return next === 'settled' && why === 'primary, and it holds the lock'
    })
    .map(({ node }) => node)

describe('failover on several machines', () => {
  test('no two machines are the primary, and only the current one thinks so', () => {
    fc.assert(
      fc.property(run, ({ size, turns }) => {
        const cluster = new Cluster(size)
        for (const one of turns) {
          take(cluster, one)
          const claims = claimants(cluster)
          const current = currentPrimary(cluster.consul.leadership)
          assert.ok(claims.length <= 1, `two at once: ${claims.join(', ')}`)
          if (claims.length === 1) assert.equal(claims[0], current?.node)
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('what is published never goes back: each new primary is on a later timeline', () => {
    fc.assert(
      fc.property(run, ({ size, turns }) => {
        const cluster = new Cluster(size)
        for (const one of turns) take(cluster, one)
        const { publications } = cluster.consul
        for (const [index, now] of publications.entries()) {
          const before = publications[index - 1]
          if (!before) continue
          const forward =
            now.timeline > before.timeline || (now.node === before.node && now.timeline === before.timeline)
          assert.ok(forward, `${before.node} on ${before.timeline}, then ${now.node} on ${now.timeline}`)
        }
      }),
      { numRuns: 5000 },
    )
  })

  test('with all machines back one serves and all others follow it', () => {
    fc.assert(
      fc.property(run, ({ size, turns }) => {
        const cluster = new Cluster(size)
        for (const one of turns) take(cluster, one)
        settle(cluster, [])
        const serving = cluster.serving()
        assert.ok(serving, 'nobody serves')
        for (const machine of cluster.machines) {
          if (machine !== serving) assert.deepEqual([machine.node, machine.role], [machine.node, 'standby'])
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('with a minority gone one serves, where a permitted candidate is up', () => {
    fc.assert(
      fc.property(run, fc.nat(4), ({ size, turns }, first) => {
        const cluster = new Cluster(size)
        for (const one of turns) take(cluster, one)
        const gone = [...cluster.machines, ...cluster.machines]
          .slice(first % size)
          .slice(0, Math.floor((size - 1) / 2))
        const { primary } = cluster.consul.leadership
        const permitted = ({ node, role, timeline }: Machine): boolean =>
          node === primary?.node || (role === 'standby' && timeline >= (primary?.timeline ?? 0))
        fc.pre(cluster.machines.some((machine) => !gone.includes(machine) && permitted(machine)))
        settle(cluster, gone)
        assert.ok(cluster.serving(), `nobody serves without ${gone.map(({ node }) => node).join(', ')}`)
      }),
      { numRuns: 3000 },
    )
  })
})
