/** A document that is deleted by mistake is no leave: what commits wait for stays as it is. On a real server, as the upkeep reads both. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../../lib/core/wait.ts'
import { decideDurability } from '../../../lib/postgresql/decide-durability.ts'
import { observeUpkeep } from '../../../lib/postgresql/observe-upkeep.ts'
import { consulThat, keyValueStore, raw } from '../support/consul.ts'
import { addressOf, leadOfN1 } from '../support/documents.ts'
import { releases, TestServer } from '../support/postgresql.ts'
import { closeServers } from '../support/server.ts'
import { settings } from '../support/settings.ts'

const SESSION = 'session-n1'
const documentOf = (node: string): string =>
  JSON.stringify({ schema: 1, repmgrId: Number(node.slice(1)), address: addressOf(node), port: 5432 })

/** What the upkeep of n1 sees where Consul has the documents of these members. */
async function seenWith(server: TestServer, nodes: readonly string[]) {
  const store = keyValueStore({
    'understudy/postgresql/primary': JSON.stringify(leadOfN1.primary),
    'understudy/postgresql/sync': JSON.stringify({ schema: 1, node: 'n1', voters: ['n2', 'n3'], need: 2 }),
    ...Object.fromEntries(nodes.map((node) => [`understudy/postgresql/nodes/${node}`, documentOf(node)])),
  })
  const leader = {
    ...raw('understudy/postgresql/leader', JSON.stringify(leadOfN1.leader?.value)),
    LockIndex: 7,
    ModifyIndex: leadOfN1.leader?.modifyIndex,
  }
  const { consul } = await consulThat((request) => {
    const { pathname } = new URL(request.url, 'http://consul')
    if (pathname.startsWith('/v1/health/')) return { text: '[]' }
    if (pathname.startsWith('/v1/session/node/'))
      return { text: JSON.stringify([{ ID: SESSION, Name: 'understudy-leader' }]) }
    if (decodeURIComponent(pathname).endsWith('/leader'))
      return { text: JSON.stringify([{ ...leader, Session: SESSION }]) }
    return store(request)
  })
  return server.connected((own) => observeUpkeep(own, { settings, consul }))
}

for (const { name, bin } of releases)
  describe(name, () => {
    let server: TestServer
    before(async () => {
      server = await TestServer.start(bin)
      await server.ask('create schema repmgr')
      await server.ask(
        `create table repmgr.nodes as select id as node_id, 'n' || id as node_name, 'host=10.77.0.1' || id as conninfo
         from generate_series(1, 3) as id`,
      )
      await server.ask(`alter system set synchronous_standby_names = 'ANY 1 ("n2", "n3")'`)
      await server.ask('select pg_reload_conf()')
      await waitFor('the rule to be set', 10_000, async () => {
        const [row] = await server.ask<{ set: boolean }>(
          `select current_setting('synchronous_standby_names') <> '' as set`,
        )
        return row?.set || null
      })
    })
    after(async () => {
      await closeServers()
      await server.remove()
    })

    for (const [caption, nodes] of [
      ['all documents are there', ['n1', 'n2', 'n3']],
      ['that of n3 is lost', ['n1', 'n2']],
      ['all but its own are lost', ['n1']],
    ] as const)
      test(caption, async () => {
        const { holder, ...seen } = await seenWith(server, nodes)
        assert.ok(holder)
        const members = holder.members.map(({ node }) => node)
        assert.deepEqual(members, ['n1', 'n2', 'n3'])
        assert.deepEqual(seen.commit, { standbys: ['n2', 'n3'], count: 1 })
        const { mode, election } = holder
        const plan = decideDurability({
          ...{ node: 'n1', members, mode, election, ...seen, alone: false, proven: true },
          streaming: ['n2', 'n3'],
          level: ['n2', 'n3'],
        })
        assert.equal(plan.do, 'nothing', plan.why)
      })
  })
