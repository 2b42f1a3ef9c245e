import { describe } from 'node:test'
import {
  decideMemberList,
  type MemberListFacts,
  type MemberListPlan,
} from '../../../lib/consul/decide-member-list.ts'
import { type Case, table } from '../support/table.ts'

const seat = (last: number) => ({
  machineId: `${last}`,
  address: `10.77.0.${last}`,
  repmgrId: last,
  vipPriority: 100,
})
const base: MemberListFacts = {
  listed: ['10.77.0.12', '10.77.0.13'],
  seats: { schema: 1, seats: { n3: seat(13), n1: seat(11), n2: seat(12) } },
  own: '10.77.0.11',
}
const addresses = ['10.77.0.12', '10.77.0.13']
const write = { do: 'write', why: 'the members have changed', problems: [] } as const
const nothing = { do: 'nothing', problems: [] } as const

const cases: readonly Case<MemberListFacts, MemberListPlan>[] = [
  ['All are named', {}, { ...nothing, why: 'looks for every member', addresses }],
  ['One has joined', { listed: ['10.77.0.12'] }, { ...write, addresses }],
  ['One is gone', { listed: [...addresses, '10.77.0.14'] }, { ...write, addresses }],
  ['There is no list, or it is broken', { listed: null }, { ...write, addresses }],
  [
    'Alone, with a list',
    { listed: [], seats: { schema: 1, seats: { n1: seat(11) } } },
    { ...nothing, why: '', addresses: [] },
  ],
  [
    'Consul does not say who the members are',
    { seats: null },
    { ...nothing, why: 'not known', addresses: [] },
  ],
]
describe('the members that Consul looks for at its start', () => table(decideMemberList, base, cases))
