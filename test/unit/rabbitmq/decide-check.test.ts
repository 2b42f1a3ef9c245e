import { describe } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  type BrokerCheckFacts,
  type BrokerCheckPlan,
  decideBrokerCheck,
} from '../../../lib/rabbitmq/decide-check.ts'
import { table } from '../support/table.ts'

type Clustered = Extract<BrokerCheckFacts, { clustered: true }>
const names = new Map([['n1', '10.77.0.11']])
const member: Clustered = {
  ...{ clustered: true, state: 'member', unit: 'active', names, known: names, report: null },
  ...{ accepting: new Set(['n1']), recorded: ['n1'] },
}
const none = { problems: [] }

describe('rabbitmq: what the check says', () => {
  table<Clustered, BrokerCheckPlan>(decideBrokerCheck, member, [
    ['a member', {}, { do: 'nothing', why: 'is a member', ...none }],
    ['Consul does not answer', { state: UNKNOWN }, { do: 'nothing', why: 'Consul', ...none }],
    ['the list of members is unknown', { names: UNKNOWN }, { do: 'nothing', why: 'Consul', ...none }],
    [
      'stopped by a person, which another line says',
      { unit: 'inactive' },
      { do: 'nothing', why: 'is a member', ...none },
    ],
    [
      'the start gate keeps it from starting',
      { unit: 'activating' },
      { do: 'start', why: 'does not start', problems: ['RabbitMQ: the broker does not start'] },
    ],
    ['one is away', { recorded: ['n1', 'n2'] }, { do: 'start', why: 'away, or back', ...none }],
    ['one is back', { accepting: new Set(['n1', 'n2']) }, { do: 'start', why: 'away, or back', ...none }],
    ['nobody has written down who runs', { recorded: null }, { do: 'start', why: 'away, or back', ...none }],
    ['Consul does not say who runs', { accepting: UNKNOWN }, { do: 'nothing', why: 'is a member', ...none }],
    ['a new member', { known: new Map() }, { do: 'start', why: 'have changed', ...none }],
    [
      'not a member yet, and why',
      { state: 'starting', report: { do: 'wait', why: 'n1 founds the cluster of brokers' } },
      {
        do: 'start',
        why: 'not a member yet',
        problems: ['RabbitMQ: the broker is not a member yet: n1 founds the cluster of brokers'],
      },
    ],
  ])
})
