/** The epoch on a real Consul: what a person, or a copy that is put back, may do to the key of the lock. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Consul } from '../../../lib/consul/client.ts'
import { currentPrimary } from '../../../lib/consul/leadership.ts'
import { consulKeys, type Primary } from '../../../lib/consul/manifest.ts'
import { readLeadership } from '../../../lib/consul/observe-leadership.ts'
import { startSession } from '../../../lib/consul/session.ts'
import { type ConsulAgent, noConsul, startConsul } from '../support/consul-agent.ts'
import { NOW, published } from '../support/documents.ts'

const value = { schema: 1, node: 'n1', since: NOW, why: 'a test' } as const

describe('the epoch on a real Consul', { skip: noConsul }, () => {
  let agent: ConsulAgent
  let consul: Consul
  let session: string
  before(async () => {
    agent = await startConsul()
    consul = agent.consul
  })
  after(() => agent.stop())
  beforeEach(async () => {
    await consul.delete(consulKeys.leader)
    session = await startSession(consul, agent.node)
    await take()
    await publish()
  })

  async function take(): Promise<void> {
    const seen = await consul.get(consulKeys.leader)
    assert.ok(await consul.acquire(consulKeys.leader, value, session, seen?.modifyIndex ?? 0))
  }

  /** As the machine that holds the lock does. */
  async function publish(): Promise<void> {
    const leader = await consul.get(consulKeys.leader)
    assert.ok(leader)
    const { lockIndex: epoch, modifyIndex: index } = leader
    const primary: Primary = { ...published('n1', 3, epoch), index }
    assert.ok(
      await consul.transaction([
        { verb: 'check-session', key: consulKeys.leader.path, session },
        { verb: 'check-index', key: consulKeys.leader.path, index },
        { verb: 'set', key: consulKeys.primary.path, value: primary },
      ]),
    )
  }

  const current = async () => currentPrimary(await readLeadership(consul))
  const release = () => consul.release(consulKeys.leader, value, session)

  const tampering: [caption: string, tamper: () => Promise<unknown>][] = [
    ['the key is deleted while the lock is held', () => consul.delete(consulKeys.leader)],
    [
      'the key is deleted while the lock is free',
      async () => {
        await release()
        await consul.delete(consulKeys.leader)
      },
    ],
    [
      'the key is written by a plain PUT while the lock is held',
      async () => {
        await consul.set(consulKeys.leader, value)
        await release()
      },
    ],
    [
      'the key is written by a plain PUT while the lock is free',
      async () => {
        await release()
        await consul.set(consulKeys.leader, value)
      },
    ],
  ]
  for (const [caption, tamper] of tampering)
    test(`${caption}: what was published before does not count again`, async () => {
      const before = await current()
      assert.ok(before)
      await tamper()
      await take()
      const leader = await consul.get(consulKeys.leader)
      assert.equal(leader?.lockIndex, before.epoch, 'this is what repeats')
      assert.equal(await current(), null)
      await publish()
      const after = await current()
      assert.ok(after && after.index > before.index, `${after?.index} after ${before.index}`)
    })

  test('a plain PUT of the held lock: not before it is published again', async () => {
    const before = await current()
    await consul.set(consulKeys.leader, value)
    assert.equal(await current(), null)
    await publish()
    assert.ok(((await current())?.index ?? 0) > (before?.index ?? 0))
  })

  test('a transaction that takes the lock gives the ModifyIndex that it is then read with', async () => {
    const first = await consul.get(consulKeys.leader)
    await release()
    await take()
    const second = await consul.get(consulKeys.leader)
    assert.ok(first && second && second.modifyIndex > first.modifyIndex)
    assert.equal((await consul.get(consulKeys.leader))?.modifyIndex, second.modifyIndex)
  })
})
