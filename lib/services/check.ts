import type { Context } from '../consul/handler.ts'
import type { CheckLine, CheckPlan } from '../core/component.ts'
import { queueUnit } from '../core/systemd.ts'
import { decideServices, type ServicesFacts } from './decide.ts'
import { servicesUnits } from './manifest.ts'
import { observeServices } from './observe.ts'

/** Only root may start and stop units of the operator. */
const services: CheckLine<Context, ServicesFacts, CheckPlan> = {
  name: 'services',
  observe: observeServices,
  decide(facts) {
    const { do: what, why, problems } = decideServices(facts)
    return { do: what, why, problems }
  },
  async apply(plan) {
    if (plan.do !== 'nothing') await queueUnit('start', servicesUnits.services)
  },
}

/** This component's lines of the periodic check. */
export const lines = [services]
