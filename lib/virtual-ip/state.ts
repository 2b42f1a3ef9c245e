import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyVirtualIpState } from './apply-state.ts'
import { decideVirtualIpState, type VirtualIpStateFacts, type VirtualIpStatePlan } from './decide-state.ts'
import { observeVirtualIpState } from './observe-state.ts'

/** Publishes whether this machine holds the virtual IP. */
export const virtualIpState: Reconciler<Context, VirtualIpStateFacts, VirtualIpStatePlan> = {
  name: 'virtual-ip-state',
  observe: observeVirtualIpState,
  decide: decideVirtualIpState,
  apply: applyVirtualIpState,
}
