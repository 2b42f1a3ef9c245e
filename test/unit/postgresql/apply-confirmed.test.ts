/** What is recorded of a real server, and what may go on recording it. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { Consul } from '../../../lib/consul/client.ts'
import { recordConfirmed } from '../../../lib/postgresql/apply-confirmed.ts'
import { NO_WAIT } from '../../../lib/postgresql/decide-durability.ts'
import type { LockHolder } from '../../../lib/postgresql/observe-upkeep.ts'
import { releases, TestServer } from '../support/postgresql.ts'
import { answering, closeServers, listen } from '../support/server.ts'
import { settings } from '../support/settings.ts'

interface TransactionOperation {
  KV: { Verb: string; Key: string; Value?: string; Index?: number; Session?: string }
}

const sync = { modifyIndex: 42 } as LockHolder['sync']
const earlier = { schema: 1, node: 'n2', timeline: 1, lsn: '0/1', standbys: 1 }

for (const { name, bin } of releases)
  describe(name, () => {
    let server: TestServer
    before(async () => {
      server = await TestServer.start(bin)
    })
    after(() => server.remove())
    afterEach(closeServers)

    /** @param recorded what Consul has; null: nothing. @param status of its answer to a transaction. */
    async function record(recorded: object | null, status: number, published = sync) {
      const entry = {
        ...{ Key: 'understudy/postgresql/confirmed', ModifyIndex: 7, LockIndex: 0 },
        Value: Buffer.from(JSON.stringify(recorded)).toString('base64'),
      }
      const { listener, seen } = answering(({ method }) => {
        if (method === 'PUT') return { status, text: '{}' }
        return recorded === null ? { status: 404 } : { text: JSON.stringify([entry]) }
      })
      const context = { settings, consul: new Consul({ port: await listen(listener) }) }
      const recorder = await server.connected((own) =>
        recordConfirmed(own, context, { session: 'ours', sync: published }, { commit: NO_WAIT, streams: [] }),
      )
      const [sent] = seen.filter(({ method }) => method === 'PUT')
      return { recorder, sent: sent?.text ?? null }
    }

    test('a position that has moved is recorded, and goes on being recorded', async () => {
      for (const recorded of [null, earlier]) {
        const { recorder, sent } = await record(recorded, 200)
        const [session, write] = JSON.parse(sent ?? '[]') as TransactionOperation[]
        assert.deepEqual([session?.KV.Verb, session?.KV.Session], ['check-session', 'ours'])
        assert.deepEqual([write?.KV.Verb, write?.KV.Index], ['cas', recorded ? 7 : 0])
        const [again, published, set] = JSON.parse(recorder?.transaction ?? '[]') as TransactionOperation[]
        assert.deepEqual(again, session)
        assert.deepEqual(published?.KV, {
          ...{ Verb: 'check-index', Key: 'understudy/postgresql/sync', Index: 42 },
        })
        assert.deepEqual(set?.KV, { Verb: 'set', Key: write?.KV.Key, Value: 'VALUE' })
      }
    })

    test('no election rule is published: there must still be none', async () => {
      const { recorder } = await record(null, 200, null)
      const [, published] = JSON.parse(recorder?.transaction ?? '[]') as TransactionOperation[]
      assert.deepEqual(published?.KV, { Verb: 'check-not-exists', Key: 'understudy/postgresql/sync' })
    })

    test('Consul refuses it: nothing goes on', async () => {
      assert.equal((await record(earlier, 409)).recorder, null)
    })

    test('what was recorded under another rule is further: nothing is recorded, and nothing goes on', async () => {
      for (const further of [
        { ...earlier, lsn: 'FF/0' },
        { ...earlier, timeline: 2 },
      ])
        assert.deepEqual(await record(further, 200), { recorder: null, sent: null })
    })
  })
