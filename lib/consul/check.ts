import { answering } from '../core/answering.ts'
import type { CheckLine } from '../core/component.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { readable } from './check-documents.ts'
import { type AgentFacts, type AgentPlan, decideAgent } from './decide-agent.ts'
import type { Context } from './handler.ts'
import { leadsConsul } from './leadership.ts'
import { consulKeys, consulUnits } from './manifest.ts'
import { readLeadership } from './observe-leadership.ts'
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
    return { answers: leadership !== UNKNOWN, members: members === UNKNOWN ? [] : members }
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
  const written = { schema: 1, node: settings.node, at: new Date().toISOString() } as const
  return (await orUnknown(consul.set(consulKeys.written, written))) !== UNKNOWN
})

/** This component's lines of the periodic check. */
export const lines = [
  agent,
  writes,
  repairedBy(serviceTag, 'lead-changed'),
  readable('members', consulKeys.nodes),
]
