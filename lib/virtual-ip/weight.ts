import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyVirtualIpWeight } from './apply-weight.ts'
import {
  decideVirtualIpWeight,
  type VirtualIpWeightFacts,
  type VirtualIpWeightPlan,
} from './decide-weight.ts'
import { observeVirtualIpWeight } from './observe-weight.ts'

/** Writes this machine's weight, by which keepalived claims the virtual IP or gives it up. */
export const virtualIpWeight: Reconciler<Context, VirtualIpWeightFacts, VirtualIpWeightPlan> = {
  name: 'virtual-ip-weight',
  observe: observeVirtualIpWeight,
  decide: decideVirtualIpWeight,
  apply: applyVirtualIpWeight,
}
