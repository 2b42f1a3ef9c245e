import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type BrokerContents,
  type BrokerHere,
  whoseCookie,
  whyNoBroker,
} from '../../../lib/rabbitmq/decide-look.ts'

const debian: BrokerContents = {
  ...{ others: [], users: ['guest'], vhosts: ['/'], queues: [], exchanges: [], policies: [] },
}
const unused: BrokerHere = {
  ...{ settingsIn: null, mark: 'none', used: false, cookie: 'none', holds: null, series: '4.0' },
}
const holding = (difference: Partial<BrokerContents>): Partial<BrokerHere> => ({
  used: true,
  holds: { ...debian, ...difference },
})

const cases: readonly (readonly [
  caption: string,
  difference: Partial<BrokerHere>,
  series: string | null,
  why: RegExp | null,
])[] = [
  ['installed and never started', {}, null, null],
  ["started once, as Debian's package does", holding({}), '4.0', null],
  [
    'a member already',
    { used: true, mark: 'ours', settingsIn: '/etc/rabbitmq/advanced.config' },
    '4.0',
    null,
  ],
  [
    'a queue of its own',
    holding({ queues: ['tasks'] }),
    null,
    /has the queue tasks, which joining would remove/,
  ],
  ['a user of its own', holding({ users: ['guest', 'rest'] }), '4.0', /has the user rest/],
  ['a vhost of its own', holding({ vhosts: ['/', 'prod'] }), '4.0', /has the vhost prod/],
  ['an exchange of its own', holding({ exchanges: ['events'] }), '4.0', /has the exchange events/],
  ['a policy of its own', holding({ policies: ['ha'] }), '4.0', /has the policy ha/],
  ['guest was deleted, and nothing else done', holding({ users: [] }), '4.0', null],
  ['data, and it does not run', { used: true }, '4.0', /does not run, .*; start it, or move /],
  [
    'settings of its own',
    { settingsIn: '/etc/rabbitmq/rabbitmq.conf' },
    null,
    /configured by \/etc\/rabbitmq\/rabbitmq\.conf/,
  ],
  [
    'no data, and a cookie that somebody has set',
    { cookie: 'other' },
    null,
    /cookie of Erlang .* was set by somebody/,
  ],
  ["Debian's cookie", { cookie: 'made' }, '4.0', null],
  ["the cluster's cookie, from a join that was interrupted", { cookie: 'ours' }, '4.0', null],
  // It gets the right one before its next start.
  ['a member already, with another cookie', { used: true, mark: 'ours', cookie: 'other' }, '4.0', null],
  [
    'a member of another cluster, which holds nothing',
    holding({ others: ['rabbit@old'] }),
    '4.0',
    /is one cluster with rabbit@old; take it out/,
  ],
  ['data of another cluster', { used: true, mark: 'other' }, '4.0', /data of another cluster/],
  ['the other release', {}, '3.10', /RabbitMQ 4\.0 is installed here, and the cluster has 3\.10/],
  [
    'the other release, a member already',
    { used: true, mark: 'ours' },
    '3.10',
    /two releases cannot be one cluster/,
  ],
]

describe('rabbitmq: whose broker may become a member', () => {
  for (const [caption, difference, series, why] of cases)
    test(caption, () => {
      const said = whyNoBroker({ ...unused, ...difference }, series)
      if (why === null) assert.equal(said, null)
      else assert.match(said ?? '', why)
    })
})

describe('rabbitmq: whose cookie a machine has', () => {
  const ours = 'q'.repeat(43)
  const debians = `${'aB3/+9x'.repeat(8)}\n`
  for (const [caption, own, of, cookie] of [
    ['there is none', null, ours, 'none'],
    ["the cluster's", ours, ours, 'ours'],
    ["the cluster's, with a newline", `${ours}\n`, ours, 'ours'],
    ["Debian's package made it", debians, ours, 'made'],
    ['Erlang made it', 'ABCDEFGHIJKLMNOPQRST', ours, 'made'],
    ['of another cluster of ours', 'r'.repeat(43), ours, 'other'],
    ['somebody has set it, and there is no cluster yet', 'secret', null, 'other'],
  ] as const)
    test(caption, () => assert.equal(whoseCookie(own, of), cookie))
})
