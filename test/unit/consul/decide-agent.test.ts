import { describe } from 'node:test'
import { type AgentFacts, type AgentPlan, decideAgent } from '../../../lib/consul/decide-agent.ts'
import { type Case, table } from '../support/table.ts'

const member = (last: number, alive: boolean) => ({ address: `10.77.0.${last}`, alive })

/** Consul has a leader, and all members are there. */
const base: AgentFacts = {
  answers: true,
  members: [member(11, true), member(12, true), member(13, true)],
  known: ['10.77.0.12', '10.77.0.13'],
}
const silent = {
  why: 'Consul does not answer, failover is suspended',
  problems: ['Consul does not answer, failover is suspended'],
} as const

const cases: readonly Case<AgentFacts, AgentPlan>[] = [
  ['All is well', {}, { do: 'nothing', why: 'Consul answers', join: [], problems: [] }],
  [
    'A member is away, and Consul has a leader without it',
    { members: [member(11, true), member(12, false)] },
    { do: 'nothing', why: 'Consul answers', join: [], problems: [] },
  ],
  [
    'Consul has no leader, and all members are there',
    { answers: false },
    { do: 'nothing', join: [], ...silent },
  ],
  [
    'Consul has no leader, and members are away: look for these',
    { answers: false, members: [member(11, true), member(12, false), member(13, false)] },
    { do: 'join', join: ['10.77.0.12', '10.77.0.13'], ...silent },
  ],
  [
    'The agent knows no members',
    { answers: false, members: [], known: [] },
    { do: 'nothing', join: [], ...silent },
  ],
  [
    'It has met nobody since its start: look for all that it has been told of',
    { answers: false, members: [member(11, true)] },
    { do: 'join', join: ['10.77.0.12', '10.77.0.13'], ...silent },
  ],
  [
    'It has met nobody, but Consul has a leader: a cluster of one',
    { members: [member(11, true)] },
    { do: 'nothing', why: 'Consul answers', join: [], problems: [] },
  ],
]
describe('the agent', () => table(decideAgent, base, cases))
