import type { ServiceTagPlan } from './decide-service-tag.ts'
import type { Context } from './handler.ts'
import { TAGGED_SERVICE } from './observe-service-tag.ts'

/** Registers the service again with its role as the only tag. */
export async function applyServiceTag(plan: ServiceTagPlan, { consul }: Context): Promise<void> {
  if (plan.tag) await consul.setServiceTags(TAGGED_SERVICE, [plan.tag])
}
