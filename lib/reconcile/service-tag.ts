import { UNKNOWN } from '../decide/facts.ts'
import { decideServiceTag, type ServiceTagFacts, type ServiceTagPlan } from '../decide/service-tag.ts'
import { kv } from '../kv.ts'
import type { Reconciler } from '../reconciler.ts'
import { known } from './observe.ts'

const SERVICE = 'postgresql'

/** Keeps the role tag of this machine's `postgresql` service true, and so Consul's DNS. */
export const serviceTag: Reconciler<ServiceTagFacts, ServiceTagPlan> = {
  name: 'service-tag',

  async observe({ settings, consul }) {
    const [primary, tags] = await Promise.all([
      known(consul.get(kv.primary)),
      known(consul.serviceTags(SERVICE)),
    ])
    return { node: settings.node, primary: primary === UNKNOWN ? UNKNOWN : (primary?.value ?? null), tags }
  },

  decide: decideServiceTag,

  async apply(plan, { consul }) {
    if (plan.tag) await consul.setServiceTags(SERVICE, [plan.tag])
  },
}
