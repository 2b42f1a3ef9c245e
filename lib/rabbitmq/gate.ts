import type { Context } from '../consul/handler.ts'
import { orUnknown } from '../core/unknown.ts'
import { keepCookie } from './apply.ts'
import type { BrokerGatePlan } from './decide-gate.ts'

/** Gives a clustered broker that may start the cookie of its cluster. Where Consul does not answer, it has the one that it had. */
export async function keepCookieFor(plan: BrokerGatePlan, context: Context): Promise<void> {
  if (plan.do === 'start' && context.settings.rabbitmq === 'clustered') await orUnknown(keepCookie(context))
}
