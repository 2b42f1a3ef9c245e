import { answering } from '../core/answering.ts'
import { replaceFile } from '../core/atomic-files.ts'
import type { CheckLine } from '../core/component.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { readable } from './check-documents.ts'
import { renderConsulMembers } from './config.ts'
import { type AgentFacts, type AgentPlan, decideAgent } from './decide-agent.ts'
import { decideMemberList, type MemberListFacts, type MemberListPlan } from './decide-member-list.ts'
import type { Context } from './handler.ts'
import { leadsConsul } from './leadership.ts'
import { consulKeys, consulPaths, consulUnits } from './manifest.ts'
import { readLeadership } from './observe-leadership.ts'
import { readMemberList } from './observe-member-list.ts'
import { repairedBy } from './repair.ts'
import { serviceTag } from './service-tag.ts'

/** Consul looks for lost members only every 30 s, so a machine that was cut off would come back that late. */
const agent: CheckLine<Context, AgentFacts, AgentPlan> = {
  name: 'consul',
  async observe({ consul }) {
    const [leadership, members] = await Promise.all([
      orUnknown(readLeadership(consul)),
      orUnknown(consul.members()),
    ])
    return {
      answers: leadership !== UNKNOWN,
      members: members === UNKNOWN ? [] : members,
      known: readMemberList() ?? [],
    }
  },
  decide: decideAgent,
  async apply({ join }, { consul }) {
    // A member that is down does not answer.
    await Promise.all(join.map((address) => orUnknown(consul.join(address))))
  },
}

/** Nothing of Consul ends by itself where the disk of its leader hangs: heartbeats go on, and no write is ever done. */
const writes = answering<Context>(consulUnits.agent, async ({ settings, consul }) => {
  const leader = await orUnknown(consul.leader())
  if (leader === UNKNOWN || !leadsConsul(leader, settings.address)) return true
  const written = (at: string) => ({ schema: 1, node: settings.node, at }) as const
  return (await orUnknown(consul.prove(consulKeys.written, written))) !== UNKNOWN
})

/** Whom the agent looks for at its next start. */
const memberList: CheckLine<Context, MemberListFacts, MemberListPlan> = {
  name: 'member-list',
  async observe({ settings, consul }) {
    const seats = await orUnknown(consul.get(consulKeys.seats))
    return {
      listed: readMemberList(),
      seats: seats === UNKNOWN ? null : (seats?.value ?? null),
      own: settings.address,
    }
  },
  decide: decideMemberList,
  async apply({ do: what, addresses }) {
    if (what === 'write') replaceFile(consulPaths.memberList, renderConsulMembers(addresses))
  },
}

/** This component's lines of the periodic check. */
export const lines = [
  agent,
  memberList,
  writes,
  repairedBy(serviceTag, 'lead-changed', { tag: 'the role tag in Consul is out of date' }),
  readable('members', consulKeys.nodes),
]
