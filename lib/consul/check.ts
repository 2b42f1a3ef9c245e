import type { CheckLine } from '../core/component.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { readable } from './check-documents.ts'
import { type AgentFacts, type AgentPlan, decideAgent } from './decide-agent.ts'
import type { Context } from './handler.ts'
import { consulKeys } from './manifest.ts'
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

/** This component's lines of the periodic check. */
export const lines = [agent, repairedBy(serviceTag, 'lead-changed'), readable('members', consulKeys.nodes)]
