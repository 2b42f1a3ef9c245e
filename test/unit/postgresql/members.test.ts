/** Who is a member, for the gate and for what a commit waits for: one document that cannot be read hides nobody. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { decideDurability } from '../../../lib/postgresql/decide-durability.ts'
import { readMembers } from '../../../lib/postgresql/observe-failover.ts'
import { consulThat, keyValueStore } from '../support/consul.ts'
import { addressOf } from '../support/documents.ts'
import { closeServers } from '../support/server.ts'
import { settings } from '../support/settings.ts'

afterEach(closeServers)

const nodes = ['n1', 'n2', 'n3']
const document = (node: string) => ({
  schema: 1,
  repmgrId: Number(node.slice(1)),
  address: addressOf(node),
  port: 5432,
})
const seats = {
  schema: 1,
  seats: Object.fromEntries(
    nodes.map((node) => [
      node,
      {
        machineId: `machine-${node}`,
        address: addressOf(node),
        repmgrId: Number(node.slice(1)),
        vipPriority: 100 - 5 * Number(node.slice(1)),
      },
    ]),
  ),
}
const passing = nodes.flatMap((node) =>
  ['serfHealth', 'postgresql'].map((id) => ({
    Node: node,
    CheckID: id,
    ServiceName: '',
    Status: 'passing',
    Output: '',
  })),
)
const good: Readonly<Record<string, string>> = {
  'understudy/seats': JSON.stringify(seats),
  ...Object.fromEntries(
    nodes.map((node) => [`understudy/postgresql/nodes/${node}`, JSON.stringify(document(node))]),
  ),
}

/** What is read of a Consul in which some documents are different. */
async function membersWith(difference: Readonly<Record<string, string>>) {
  const answer = keyValueStore({ ...good, ...difference })
  const { consul, seen } = await consulThat((request) =>
    request.url.startsWith('/v1/health/') ? { text: JSON.stringify(passing) } : answer(request),
  )
  return { members: await readMembers({ settings, consul }), asked: seen.map(({ url }) => url) }
}

/** n3 as its document and its seat describe it: there is no difference. */
const n3 = {
  node: 'n3',
  address: addressOf('n3'),
  port: 5432,
  repmgrId: 3,
  vipPriority: 85,
  healthy: true,
  databaseFails: false,
}

describe('members', () => {
  test('are read from a leader that has made sure it still is one', async () => {
    const { asked } = await membersWith({})
    assert.equal(asked.length, 3)
    for (const url of asked) assert.match(url, /[?&]consistent(&|$)/)
  })

  const unreadable: readonly (readonly [caption: string, text: string])[] = [
    ['no JSON', '{"schema":1'],
    ['empty', ''],
    ['a field of another type', '{"schema":1,"repmgrId":"3","address":"10.77.0.13","port":5432}'],
    ['of a newer version that does without our fields', '{"schema":2,"hosts":["10.77.0.13:5432"]}'],
  ]
  for (const [caption, text] of unreadable) {
    test(`a malformed document hides no member, and its seat stands in for it: ${caption}`, async () => {
      const { members } = await membersWith({ 'understudy/postgresql/nodes/n3': text })
      assert.deepEqual(
        members.find(({ node }) => node === 'n3'),
        n3,
      )
      assert.deepEqual(members.map(({ node }) => node).sort(), nodes)
    })

    test(`a malformed document does not change what a commit waits for: ${caption}`, async () => {
      const { members } = await membersWith({ 'understudy/postgresql/nodes/n3': text })
      const plan = decideDurability({
        node: 'n1',
        members: members.map(({ node }) => node),
        mode: 'quorum',
        commit: { standbys: ['n2', 'n3'], count: 1 },
        election: { voters: ['n2', 'n3'], need: 2 },
        streaming: ['n2', 'n3'],
        level: ['n2', 'n3'],
        alone: false,
        proven: true,
      })
      assert.equal(plan.do, 'nothing')
    })
  }

  test('without a seat either it is a member whose database cannot be asked', async () => {
    const { n3: _gone, ...rest } = seats.seats as Record<string, object>
    const { members } = await membersWith({
      'understudy/seats': JSON.stringify({ schema: 1, seats: rest }),
      'understudy/postgresql/nodes/n3': '{',
    })
    const third = members.find(({ node }) => node === 'n3')
    assert.deepEqual([third?.address, third?.healthy, third?.repmgrId], [null, false, 0])
  })

  test('malformed seats cost only the priorities', async () => {
    const { members } = await membersWith({ 'understudy/seats': '{' })
    assert.deepEqual(
      members.map(({ node, vipPriority, healthy }) => [node, vipPriority, healthy]),
      nodes.map((node) => [node, 0, true]),
    )
  })
})
