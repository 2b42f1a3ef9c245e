/** Claims of many runs on a real Consul. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Consul } from '../../../lib/consul/client.ts'
import { claim, type HeldKey, lookForRefusal } from '../../../lib/tasks/claim.ts'
import { decideCollect } from '../../../lib/tasks/decide-collect.ts'
import { taskKeys } from '../../../lib/tasks/manifest.ts'
import { parseLockCommand, parseOnceCommand, type RunOnceCommand } from '../../../lib/tasks/options.ts'
import { taskOf } from '../../../lib/tasks/render-outcomes.ts'
import { digestOf, type Subject, subjectOf } from '../../../lib/tasks/subject.ts'
import { type ConsulAgent, noConsul, startConsul } from '../support/consul-agent.ts'
import { NOW } from '../support/documents.ts'

const lockOf = (...argv: string[]): Subject => subjectOf(parseLockCommand([...argv, '--', 'true']))
const once = (...argv: string[]): Subject =>
  subjectOf(parseOnceCommand([...argv, '--', 'true']) as RunOnceCommand)

describe('claims on a real Consul', { skip: noConsul }, () => {
  let agent: ConsulAgent
  let consul: Consul
  before(async () => {
    agent = await startConsul()
    consul = agent.consul
  })
  after(() => agent.stop())

  let runs = 0
  function tryIt(subject: Subject) {
    runs += 1
    return claim(consul, subject, { node: agent.node, run: runs.toString(16), since: NOW }, () => false)
  }
  async function take(subject: Subject): Promise<HeldKey> {
    const claimed = await tryIt(subject)
    assert.ok('session' in claimed, JSON.stringify(claimed))
    return claimed
  }
  async function refused(subject: Subject): Promise<number> {
    const claimed = await tryIt(subject)
    assert.ok('do' in claimed)
    return claimed.exitCode
  }
  const end = async (subject: Subject, { session, entry }: HeldKey, exitCode = 0): Promise<void> => {
    assert.ok(
      await consul.release(subject.key, subject.ended(entry.value, entry.modifyIndex, exitCode), session),
    )
  }
  const stateOf = async (name: string, key: string) => {
    const entry = await consul.get(taskKeys.outcome(name, digestOf(key)))
    return entry && taskOf(entry).state
  }

  test('one of many gets a lock, with an epoch that grows', async () => {
    const subject = lockOf('many')
    let last = 0
    for (let round = 0; round < 3; round += 1) {
      const all = await Promise.all(Array.from({ length: 10 }, () => tryIt(subject)))
      const [winner, ...more] = all.filter((one): one is HeldKey => 'session' in one)
      assert.ok(winner && more.length === 0)
      assert.ok(winner.entry.modifyIndex > last, 'the epoch grows')
      last = winner.entry.modifyIndex
      await end(subject, winner)
    }
  })

  test('a lost holder: Consul delays the lock, and whoever gets it waits until the other is dead', async () => {
    const { session } = await take(lockOf('lost'))
    await consul.destroySession(session)
    assert.equal(await refused(lockOf('lost')), 75)
    const lostMs = performance.now()
    const { quietUntilMs } = await take(lockOf('lost', '--timeout', '60'))
    assert.ok(
      Math.max(quietUntilMs, performance.now()) - lostMs >= 14_500,
      'fifteen seconds after it was lost',
    )
  })

  test('a lost holder, and a Consul that has forgotten the delay', async () => {
    const subject = lockOf('forgotten')
    const { session, entry } = await take(subject)
    await end(subject, { session, entry, askedMs: 0, quietUntilMs: 0 })
    await consul.set(subject.key, entry.value)
    const { quietUntilMs } = await take(subject)
    assert.ok(quietUntilMs - performance.now() > 14_000)
  })

  test('a key that was restored from another Consul is refused', async () => {
    const subject = lockOf('restored')
    const { session, entry } = await take(subject)
    await end(subject, { session, entry, askedMs: 0, quietUntilMs: 0 })
    await consul.set(subject.key, { ...entry.value, epoch: 1_000_000 })
    assert.equal(await refused(subject), 78)
  })

  test('a task: one of many starts it, and nobody after that', async () => {
    const subject = once('task', 'many')
    const all = await Promise.all(Array.from({ length: 10 }, () => tryIt(subject)))
    const [winner, ...more] = all.filter((one): one is HeldKey => 'session' in one)
    assert.ok(winner && more.length === 0)
    assert.equal(await stateOf('task', 'many'), 'running')
    await end(subject, winner, 3)
    assert.equal(await stateOf('task', 'many'), 'failed')
    assert.equal(await refused(subject), 3)
    assert.equal((await lookForRefusal(consul, once('task', 'many', '--retry-unknown')))?.exitCode, 3)
  })

  test('a task whose run was lost is unknown, and run again only when told to', async () => {
    const { session } = await take(once('task', 'lost'))
    await consul.destroySession(session)
    assert.equal(await stateOf('task', 'lost'), 'unknown')
    assert.equal(await refused(once('task', 'lost')), 65)
    const lostMs = performance.now()
    const again = once('task', 'lost', '--retry-unknown')
    const claimed = await take(again)
    assert.ok(Math.max(claimed.quietUntilMs, performance.now()) - lostMs >= 14_000)
    await end(again, claimed)
    assert.equal(await stateOf('task', 'lost'), 'done')
  })

  test('ends of a run that is not wanted any more leave nothing', async () => {
    const refusal = await claim(consul, lockOf('ended'), { node: 'n1', run: 'e', since: NOW }, () => true)
    assert.ok('do' in refusal && refusal.exitCode === 75)
    assert.equal(await consul.get(taskKeys.lock('ended')), null)
  })

  test('what is listed can be forgotten', async () => {
    const entries = await consul.entries(taskKeys.outcomes)
    assert.ok(entries.has(`task/${digestOf('many')}`))
    assert.deepEqual(decideCollect(entries, Date.parse('2100-01-01')).length, 2)
  })
})
