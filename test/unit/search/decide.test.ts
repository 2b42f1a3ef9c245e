import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Seats } from '../../../lib/consul/manifest.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { renderHosts } from '../../../lib/search/config.ts'
import { decideSearch, type SearchFacts, type SearchPlan } from '../../../lib/search/decide.ts'
import {
  decideSearchCheck,
  type SearchCheckFacts,
  type SearchCheckPlan,
} from '../../../lib/search/decide-check.ts'
import { type SearchHere, whyNoMember } from '../../../lib/search/decide-look.ts'
import { chooseServer } from '../../../lib/search/decide-server.ts'
import type { SearchCluster } from '../../../lib/search/manifest.ts'
import { type Case, table } from '../support/table.ts'

const seatsOf = (...numbers: number[]): Seats => ({
  schema: 1,
  seats: Object.fromEntries(
    numbers.map((number) => [
      `n${number}`,
      { machineId: `${number}`, address: `10.77.0.1${number}`, repmgrId: number, vipPriority: number },
    ]),
  ),
})
const idsOf = (...names: string[]) => new Map(names.map((name) => [name, `id-${name}`]))
const base: SearchFacts = {
  mode: 'clustered',
  configured: 'clustered',
  seats: seatsOf(1, 2, 3),
  known: idsOf('n1', 'n2', 'n3'),
  hosts: renderHosts(seatsOf(1, 2, 3)),
  exclusions: null,
}
const none = { listed: null, hosts: null, votes: [], shards: null, problems: [] }
const known = { ...none, listed: base.hosts }
/** It is to have these servers, and is given them. */
const listing = (...numbers: number[]) => {
  const hosts = renderHosts(seatsOf(...numbers))
  return { listed: hosts, hosts }
}
const nobody = { votes: [], shards: [] }

const cases: readonly Case<SearchFacts, SearchPlan>[] = [
  ['everything is in order', {}, { do: 'nothing', why: 'knows the members', ...known }],
  ['it is local', { mode: 'local', hosts: null }, { do: 'nothing', why: 'no part of a cluster', ...none }],
  [
    'it is not set up yet',
    { configured: 'joining', hosts: null },
    { do: 'nothing', why: 'no part', ...none },
  ],
  ['Consul does not answer', { seats: UNKNOWN, hosts: null }, { do: 'nothing', why: 'Consul', ...none }],
  ['the seats are gone', { seats: null }, { do: 'nothing', why: 'is not there', ...none }],
  ['there are no seats', { seats: seatsOf() }, { do: 'nothing', why: 'is not there', ...none }],
  [
    'the file is missing',
    { hosts: null },
    { do: 'change', why: 'not that of the members', ...known, hosts: base.hosts },
  ],
  [
    'a machine has joined',
    { seats: seatsOf(1, 2, 3, 4) },
    { do: 'change', why: 'not that of the members', ...none, ...listing(1, 2, 3, 4) },
  ],
  [
    'a machine has left',
    { seats: seatsOf(1, 2), exclusions: nobody },
    {
      ...{ do: 'change', why: 'n3 left and is to have no part' },
      ...{ ...listing(1, 2), votes: ['id-n3'], shards: ['n3'], problems: [] },
    },
  ],
  [
    'a machine has left, and the operator keeps another one empty',
    {
      seats: seatsOf(1, 2),
      exclusions: { votes: ['id-n3'], shards: ['n2'] },
      hosts: renderHosts(seatsOf(1, 2)),
    },
    { do: 'change', why: 'n3 left', ...none, listed: renderHosts(seatsOf(1, 2)), shards: ['n2', 'n3'] },
  ],
  [
    'a machine has left and is excluded',
    {
      seats: seatsOf(1, 2),
      exclusions: { votes: ['id-n3'], shards: ['n3'] },
      hosts: renderHosts(seatsOf(1, 2)),
    },
    { do: 'nothing', why: 'knows the members', ...none, listed: renderHosts(seatsOf(1, 2)) },
  ],
  [
    'a machine has left, and the server does not answer',
    { seats: seatsOf(1, 2), exclusions: UNKNOWN },
    {
      ...{ do: 'change', why: 'not that of the members', ...none, ...listing(1, 2) },
      problems: ['search: n3 left, and the server here does not answer, so that nobody can exclude it there'],
    },
  ],
  [
    'a machine that never had a server',
    { known: idsOf('n1', 'n2') },
    { do: 'nothing', why: 'knows', ...known },
  ],
]

describe('search: the members', () => {
  table(decideSearch, base, cases)

  test('nobody who is a member is ever excluded, and an empty list is never written', () =>
    fc.assert(
      fc.property(
        fc.subarray([1, 2, 3, 4, 5]),
        fc.subarray(['n1', 'n2', 'n3', 'n4', 'n5']),
        fc.option(fc.record({ votes: fc.subarray(['id-n1', 'id-n3']), shards: fc.subarray(['n2', 'n4']) })),
        (numbers, names, exclusions) => {
          const seats = seatsOf(...numbers)
          const { votes, shards, hosts } = decideSearch({
            ...base,
            seats,
            known: idsOf(...names),
            exclusions,
          })
          const members = Object.keys(seats.seats)
          assert.ok(votes.every((id) => !members.includes(id.replace('id-', ''))))
          const theirs = exclusions?.shards ?? []
          assert.ok((shards ?? []).every((name) => theirs.includes(name) || !members.includes(name)))
          assert.ok(hosts === null || numbers.length > 0)
        },
      ),
    ))
})

const report = { hosts: base.hosts, problems: [] }
const checked: SearchCheckFacts = {
  ...{ mode: 'clustered', configured: 'clustered' },
  seats: seatsOf(1, 2, 3),
  report,
  isOld: false,
  failed: false,
}
const checks: readonly Case<SearchCheckFacts, SearchCheckPlan>[] = [
  ['in order', {}, { do: 'nothing', why: 'knows the members', problems: [] }],
  ['not set up', { configured: 'founding' }, { do: 'nothing', why: 'not set up', problems: [] }],
  [
    'the cluster has none',
    { mode: null, configured: null },
    { do: 'nothing', why: 'not set up', problems: [] },
  ],
  ['after a boot', { report: null }, { do: 'start', why: 'for a while', problems: [] }],
  [
    'the handler failed',
    { failed: true },
    {
      ...{ do: 'start', why: 'failed' },
      problems: ['search: understudy-search.service has failed; see journalctl -u understudy-search'],
    },
  ],
  [
    'it says why',
    { failed: true, report: { ...report, problems: ['x'] } },
    { do: 'start', why: 'failed', problems: ['x'] },
  ],
  ['an old report', { isOld: true }, { do: 'start', why: 'for a while', problems: [] }],
  ['local', { mode: 'local', configured: 'local' }, { do: 'nothing', why: 'is set up', problems: [] }],
  ['Consul does not answer', { seats: UNKNOWN }, { do: 'nothing', why: 'Consul', problems: [] }],
  ['a member more', { seats: seatsOf(1, 2, 3, 4) }, { do: 'start', why: 'have changed', problems: [] }],
  [
    'the file is gone',
    { report: { ...report, hosts: null } },
    { do: 'start', why: 'have changed', problems: [] },
  ],
  [
    'a problem',
    { report: { ...report, problems: ['x'] } },
    { do: 'start', why: 'found a problem', problems: ['x'] },
  ],
]
describe('search: the check', () => table(decideSearchCheck, checked, checks))

const here: SearchHere = {
  node: 'n2',
  kind: 'opensearch',
  note: null,
  data: null,
  holds: null,
  ownHosts: false,
}
const cluster: SearchCluster = {
  schema: 1,
  kind: 'opensearch',
  clusterName: 'opensearch',
  founder: 'n1',
  uuid: 'abc',
}
const data = '/var/lib/opensearch/nodes'
const looks: readonly (readonly [
  what: string,
  here: Partial<SearchHere>,
  cluster: SearchCluster | null,
  why: RegExp | null,
])[] = [
  ['a new server', {}, cluster, null],
  ['a new server founds', {}, null, null],
  ['the founder may have indices', { data, holds: { uuid: 'x', indices: ['a'] } }, null, null],
  ['so it may when it has claimed that', { node: 'n1', data }, { ...cluster, uuid: null }, null],
  [
    'an index of its own',
    { data, holds: { uuid: 'x', indices: ['a', 'b'] } },
    cluster,
    /has the index a, which joining would lose; stop it and move .*nodes away/,
  ],
  [
    'a cluster of its own',
    { data, holds: { uuid: 'x', indices: [] } },
    cluster,
    /has a cluster of its own, without indices/,
  ],
  ['data that nobody sees', { data }, cluster, /has data in .* and does not answer/],
  ['a member already', { data, holds: { uuid: 'abc', indices: ['a'] } }, cluster, null],
  ['a join that was interrupted', { data, note: 'joining' }, cluster, null],
  [
    'another kind',
    { kind: 'elasticsearch' },
    cluster,
    /has elasticsearch, and the search servers of the cluster are opensearch/,
  ],
  ['addresses of the operator', { ownHosts: true }, cluster, /unicast_hosts\.txt .* move that file away/],
]
describe('search: may this server be a member?', () => {
  for (const [what, difference, of, why] of looks)
    test(what, () => {
      const said = whyNoMember({ ...here, ...difference }, of)
      if (why === null) assert.equal(said, null)
      else assert.match(said ?? '', why)
    })
})

describe('search: which server is meant', () => {
  const nothing = { unit: null, directory: null }
  const opensearch = { directory: '/etc/opensearch', kind: 'opensearch' } as const
  const elasticsearch = { directory: '/etc/elasticsearch', kind: 'elasticsearch' } as const
  const why = (facts: Parameters<typeof chooseServer>[0]): string => {
    const chosen = chooseServer(facts)
    return 'why' in chosen ? chosen.why : ''
  }
  test('that of a package', () =>
    assert.deepEqual(chooseServer({ named: nothing, found: [elasticsearch] }), {
      ...elasticsearch,
      unit: 'elasticsearch.service',
    }))
  test('one that was named', () =>
    assert.deepEqual(
      chooseServer({
        named: { unit: 'es', directory: '/srv' },
        found: [{ ...opensearch, directory: '/srv' }],
      }),
      {
        ...{ directory: '/srv', kind: 'opensearch', unit: 'es.service' },
      },
    ))
  test('none', () => assert.match(why({ named: nothing, found: [] }), /there is no search server here/))
  test('none where it was named', () =>
    assert.match(why({ named: { unit: null, directory: '/srv' }, found: [] }), /^\/srv has neither/))
  test('two', () =>
    assert.match(why({ named: nothing, found: [opensearch, elasticsearch] }), /two search servers here/))
})
