import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Seats } from '../../../lib/consul/manifest.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { renderUpload } from '../../../lib/logs/config.ts'
import {
  decideLogPeers,
  LATE_MS,
  type LogPeersFacts,
  type LogPeersPlan,
  lateCopies,
  STALLED_MS,
} from '../../../lib/logs/decide-peers.ts'
import { type Case, table } from '../support/table.ts'

const addressOf = (number: number): string => `10.77.0.1${number}`
const seatsOf = (...numbers: number[]): Seats => ({
  schema: 1,
  seats: Object.fromEntries(
    numbers.map((number) => [
      `n${number}`,
      { machineId: `${number}`, address: addressOf(number), repmgrId: number, vipPriority: number },
    ]),
  ),
})
const upload = (number: number, behindMs: number | null = 0) => ({
  text: renderUpload(addressOf(number)),
  behindMs,
})
const base: LogPeersFacts = {
  node: 'n1',
  seats: seatsOf(1, 2, 3),
  uploads: { n2: upload(2), n3: upload(3) },
  alive: ['n1', 'n2', 'n3'],
  setUp: true,
}
const none = { begin: [], end: [], restart: [] }
const to = (number: number) => ({ node: `n${number}`, address: addressOf(number) })

const cases: readonly Case<LogPeersFacts, LogPeersPlan>[] = [
  ['all others are sent to', {}, { do: 'nothing', why: 'the log is sent to n2, n3', ...none }],
  [
    'a cluster of one',
    { seats: seatsOf(1), uploads: {} },
    { do: 'nothing', why: 'the log is sent to nobody', ...none },
  ],
  [
    'Consul does not answer',
    { seats: UNKNOWN, uploads: {} },
    { do: 'nothing', why: 'Consul does not answer', ...none },
  ],
  [
    'There are no seats: nobody has left for that',
    { seats: null },
    { do: 'nothing', why: 'join has not set up the logs yet', ...none },
  ],
  [
    'An upgraded member that join has not set up',
    { setUp: false, uploads: {} },
    { do: 'nothing', why: 'join has not set up the logs yet', ...none },
  ],
  [
    'a new member',
    { uploads: { n2: upload(2) } },
    { do: 'send', why: 'the log is to be sent to n3', ...none, begin: [to(3)] },
  ],
  [
    'a member with another address',
    { uploads: { n2: upload(4), n3: upload(3) } },
    { do: 'send', why: 'the log is to be sent to n2', ...none, begin: [to(2)] },
  ],
  [
    'a member that has left',
    { seats: seatsOf(1, 2) },
    { do: 'send', why: 'n3 is no longer a member', ...none, end: ['n3'] },
  ],
  [
    'n2 is alive, and has nothing of the last minute',
    { uploads: { n2: upload(2, STALLED_MS + 1), n3: upload(3) } },
    { do: 'send', why: 'the connection to n2 is dead', ...none, restart: ['n2'] },
  ],
  [
    'n2 is away: its unit tries by itself',
    { uploads: { n2: upload(2, STALLED_MS + 1), n3: upload(3) }, alive: ['n1', 'n3'] },
    { do: 'nothing', why: 'the log is sent to n2, n3', ...none },
  ],
  [
    'Who is alive is not known',
    { uploads: { n2: upload(2, STALLED_MS + 1), n3: upload(3) }, alive: UNKNOWN },
    { do: 'nothing', why: 'the log is sent to n2, n3', ...none },
  ],
  [
    'one has left, one is new, one is stalled',
    { seats: seatsOf(1, 2, 4), uploads: { n2: upload(2, STALLED_MS + 1), n3: upload(3) } },
    {
      do: 'send',
      why: 'the log is to be sent to n4; n3 is no longer a member; the connection to n2 is dead',
      begin: [to(4)],
      end: ['n3'],
      restart: ['n2'],
    },
  ],
]

describe('decideLogPeers: the table', () => table(decideLogPeers, base, cases))

describe('decideLogPeers', () => {
  test('after its plan is carried out, it has nothing to do', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 2, max: 6 }))
    fc.assert(
      fc.property(numbers, numbers, (members, sent) => {
        const facts: LogPeersFacts = {
          ...base,
          seats: seatsOf(1, ...members),
          uploads: Object.fromEntries(sent.map((number) => [`n${number}`, upload(number)])),
        }
        const { begin, end } = decideLogPeers(facts)
        const kept = Object.entries(facts.uploads).filter(([name]) => !end.includes(name))
        const begun = begin.map(({ node, address }) => [node, { text: renderUpload(address), behindMs: 0 }])
        const after = decideLogPeers({ ...facts, uploads: Object.fromEntries([...kept, ...begun]) })
        assert.equal(after.do, 'nothing')
      }),
    )
  })

  test('a copy that is late is named, unless its machine is away', () => {
    const late = { ...base, uploads: { n2: upload(2, LATE_MS + 60_000), n3: upload(3, null) } }
    assert.deepEqual(lateCopies(late), ['the log of n1 has not reached n2 for 11 min'])
    assert.deepEqual(lateCopies({ ...late, alive: ['n1'] }), [])
    assert.deepEqual(lateCopies({ ...late, alive: UNKNOWN }), [])
  })
})
