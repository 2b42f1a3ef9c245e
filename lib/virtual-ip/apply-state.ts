import type { Context } from '../consul/handler.ts'
import { kv } from '../consul/kv.ts'
import type { VirtualIpStatePlan } from './decide-state.ts'

/** Publishes the state of this machine's keepalived. */
export async function applyVirtualIpState(
  plan: VirtualIpStatePlan,
  { settings, consul }: Context,
): Promise<void> {
  if (plan.document) await consul.set(kv.keepalivedNode(settings.node), plan.document)
}
