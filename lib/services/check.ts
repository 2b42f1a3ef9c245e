import type { Context } from '../consul/handler.ts'
import type { CheckLine, CheckPlan } from '../core/component.ts'
import { queueUnit } from '../core/systemd.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { decideServices, type ServicesFacts } from './decide.ts'
import { servicesUnits } from './manifest.ts'
import { observeServices } from './observe.ts'
import { failingHere } from './observe-give-way.ts'

interface CheckFacts extends ServicesFacts {
  /** Services that give way and fail on this machine, the active one. */
  failing: string[]
}

/** Only root may start and stop units of the operator. */
const services: CheckLine<Context, CheckFacts, CheckPlan> = {
  name: 'services',
  async observe(context, run) {
    const facts = await observeServices(context, run)
    const list = facts.list === UNKNOWN ? facts.applied : facts.list
    return { ...facts, failing: list === null ? [] : await failingHere(context, list) }
  },
  decide(facts) {
    const { do: what, why, problems } = decideServices(facts)
    if (what === 'nothing' && facts.failing.length > 0)
      return { do: 'watch', why: `the service ${facts.failing.join(', ')} fails`, problems }
    return { do: what, why, problems }
  },
  async apply(plan) {
    if (plan.do !== 'nothing') await queueUnit('start', servicesUnits.services)
  },
}

/** This component's lines of the periodic check. */
export const lines = [services]
