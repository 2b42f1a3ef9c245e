import type { Reconciler } from '../core/reconciler.ts'
import { applyServiceTag } from './apply-service-tag.ts'
import { decideServiceTag, type ServiceTagFacts, type ServiceTagPlan } from './decide-service-tag.ts'
import type { Context } from './handler.ts'
import { observeServiceTag } from './observe-service-tag.ts'

/** Keeps the role tag of this machine's `postgresql` service up to date, and with it Consul's DNS. */
export const serviceTag: Reconciler<Context, ServiceTagFacts, ServiceTagPlan> = {
  name: 'service-tag',
  observe: observeServiceTag,
  decide: decideServiceTag,
  apply: applyServiceTag,
}
