import type { CheckLine } from '../core/component.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { type AgentFacts, type AgentPlan, decideAgent } from './decide-agent.ts'
import type { Context } from './handler.ts'
import { readLeadership } from './observe-leadership.ts'
import { repairedBy } from './repair.ts'
import { serviceTag } from './service-tag.ts'

/** Consul looks for members that it has lost every 30 s only: a machine that was cut off would be back as late as that. */
const agent: CheckLine<Context, AgentFacts, AgentPlan> = {
  name: 'consul',
  async observe({ consul }) {
    const leadership = await orUnknown(readLeadership(consul))
    return { answers: leadership !== UNKNOWN, members: await consul.members().catch(() => []) }
  },
  decide: decideAgent,
  async apply({ join }, { consul }) {
    await Promise.all(join.map((address) => consul.join(address).catch(() => {})))
  },
}

/** This component's lines of the periodic check. */
export const lines = [agent, repairedBy(serviceTag, 'lead-changed')]
