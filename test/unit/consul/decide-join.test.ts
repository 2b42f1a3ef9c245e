import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type MembershipFacts, whyNotMember } from '../../../lib/consul/decide-join.ts'
import { DEFAULT_REALM } from '../../../lib/consul/realm.ts'
import { strangersIn } from '../../../lib/consul/strangers-in.ts'

const A = { datacenter: 'understudy-aaaaaaaa', serverPort: 18377 }
const B = { datacenter: 'understudy-bbbbbbbb', serverPort: 18378 }
const NO_DATA = { directory: '/opt/consul', nodeId: null, begun: false, others: [], keyring: false }
const ID = '4f1c6fd0-8f2a-4a53-9d4b-0d5b1c1f0a11'
const OTHER_ID = '9a0e2f52-5d1b-4d7c-8f5e-6f3f0f9f7c22'
const QUIET = { agent: null, unit: false, port: null }
const seatOf = (machineId: string, address: string) => ({ machineId, address, repmgrId: 1, vipPriority: 100 })
const withSeat = (node: string, machineId: string, address: string): Partial<MembershipFacts> => ({
  seats: { schema: 1, seats: { [node]: seatOf(machineId, address) } },
})

/** A machine on which nothing has happened yet, that founds a cluster. */
const fresh: MembershipFacts = {
  as: 'first',
  setup: { why: null },
  data: NO_DATA,
  running: QUIET,
  own: null,
  realm: null,
  member: false,
  empty: false,
  nodeIds: null,
  seats: null,
  applicant: { node: 'n2', machineId: 'y', address: '10.77.0.12' },
}
const joiner = { as: 'joiner', realm: A } as const
/** A member that has all that it had. */
const member = { own: A, member: true, data: { ...NO_DATA, begun: true } } as const

const cases: readonly [string, Partial<MembershipFacts>, RegExp | null][] = [
  ['the first', {}, null],
  ['another one', { ...joiner, ...withSeat('n1', 'x', '10.77.0.11') }, null],
  ['a member that joins again', { ...joiner, ...member, ...withSeat('n2', 'y', '10.77.0.12') }, null],
  ['the first machine again', { ...member }, null],
  ['a first join that was interrupted', { own: A, data: { ...NO_DATA, begun: true } }, null],
  ['a Consul that is set up for something else', { setup: { why: 'it is' } }, /^it is$/],
  [
    'the data of another server',
    { data: { ...NO_DATA, begun: true } },
    /not part of an understudy cluster has data/,
  ],
  [
    'its advice names the node id too',
    { data: { ...NO_DATA, begun: true, nodeId: ID } },
    /remove raft, serf and node-id below \/opt\/consul/,
  ],
  ['a node id that an agent alone has left', { data: { ...NO_DATA, nodeId: ID } }, null],
  [
    'the same where there is a cluster',
    { ...joiner, data: { ...NO_DATA, nodeId: ID }, nodeIds: { n1: OTHER_ID } },
    null,
  ],
  [
    'the node id of a member',
    { ...joiner, data: { ...NO_DATA, nodeId: ID }, nodeIds: { n3: OTHER_ID, n1: ID } },
    /has the node id of n1 \(\/opt\/consul\/node-id\).*stop it and remove that file/,
  ],
  [
    'the same, found after an earlier join',
    { ...joiner, own: A, data: { ...NO_DATA, nodeId: ID }, nodeIds: { n1: ID } },
    /has the node id of n1/,
  ],
  [
    'its own node id',
    {
      ...joiner,
      ...member,
      data: { ...member.data, nodeId: ID },
      nodeIds: { n1: OTHER_ID, n2: ID },
      ...withSeat('n2', 'y', '10.77.0.12'),
    },
    null,
  ],
  ['the gossip of another agent', { data: { ...NO_DATA, others: ['10.0.0.1'] } }, /below \/opt\/consul/],
  ['the key of another gossip', { data: { ...NO_DATA, keyring: true } }, /has data on this machine/],
  [
    'a server runs',
    { running: { agent: { server: true, others: 0 }, unit: true, port: 8300 } },
    /runs on this machine \(port 8300\)/,
  ],
  [
    'a client runs that knows others',
    { running: { agent: { server: false, others: 2 }, unit: true, port: null } },
    /runs on this machine/,
  ],
  [
    'an agent that nobody has configured',
    { running: { agent: { server: false, others: 0 }, unit: true, port: 8301 } },
    null,
  ],
  ['one that has not come up', { running: { ...QUIET, unit: true } }, null],
  [
    'one that a person has started by hand',
    { running: { agent: { server: false, others: 0 }, unit: false, port: 8500 } },
    /port 8500/,
  ],
  ['an agent without HTTP', { running: { ...QUIET, port: 8301 } }, /port 8301/],
  [
    'our own agent',
    { ...member, running: { agent: { server: true, others: 2 }, unit: true, port: 8301 } },
    null,
  ],
  [
    'the first command, and Consul has lost its data',
    { ...member, data: NO_DATA },
    /lost its data; join it again with --consul-join/,
  ],
  ['the first command, and Consul holds no cluster', { ...member, empty: true }, /--consul-join/],
  ['the way back', { ...joiner, ...member, data: NO_DATA, ...withSeat('n2', 'y', '10.77.0.12') }, null],
  [
    'a member of another cluster',
    { ...joiner, ...member, realm: B },
    /another understudy cluster \(datacenter understudy-aaaaaaaa, not understudy-bbbbbbbb\)/,
  ],
  [
    'a member of another cluster that has lost its data',
    { ...joiner, ...member, data: NO_DATA, realm: B },
    /another understudy cluster/,
  ],
  [
    'data of another cluster',
    { ...joiner, own: B, data: { ...NO_DATA, begun: true } },
    /another understudy cluster/,
  ],
  ['a member of an older cluster', { ...joiner, ...member, own: DEFAULT_REALM, realm: DEFAULT_REALM }, null],
  [
    'a name that is taken',
    { ...joiner, ...withSeat('n2', 'x', '10.77.0.11') },
    /n2 is already a member, at 10\.77\.0\.11/,
  ],
  [
    'another address than at its join',
    { ...joiner, ...withSeat('n2', 'y', '10.77.0.13') },
    /joined with the address/,
  ],
  [
    'an address that is taken',
    { ...joiner, ...withSeat('n1', 'x', '10.77.0.12') },
    /n1 has the address 10\.77\.0\.12/,
  ],
]

describe('join: whether a machine can be a member', () => {
  for (const [caption, difference, why] of cases)
    test(caption, () => {
      const said = whyNotMember({ ...fresh, ...difference })
      if (why === null) assert.equal(said, null)
      else assert.match(said ?? '', why)
    })
})

test("a snapshot of gossip names others, whatever this machine's name was", () => {
  const snapshot = 'alive: n1 10.77.0.11:8301\nclock: 7\nalive: web 1 10.77.0.20:8301\nnot-alive: web 1\n'
  assert.deepEqual(strangersIn(snapshot, ['127.0.0.1', '10.77.0.11']), ['10.77.0.20'])
  assert.deepEqual(strangersIn('', []), [])
})
