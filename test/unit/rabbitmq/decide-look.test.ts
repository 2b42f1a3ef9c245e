import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BrokerContents, type BrokerHere, whyNoBroker } from '../../../lib/rabbitmq/decide-look.ts'

const debian: BrokerContents = { users: ['guest'], vhosts: ['/'], queues: [], exchanges: [], policies: [] }
const unused: BrokerHere = { settingsIn: null, mark: 'none', used: false, holds: null, series: '4.0' }
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
