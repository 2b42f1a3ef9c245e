import type { Context } from '../consul/handler.ts'
import type { VirtualIpStatePlan } from './decide-state.ts'
import { virtualIpKeys } from './manifest.ts'

/** Publishes the state of this machine's keepalived. @throws UnderstudyError where Consul does not answer. */
export async function applyVirtualIpState(
  plan: VirtualIpStatePlan,
  { settings, consul }: Context,
): Promise<void> {
  if (plan.document) await consul.set(virtualIpKeys.node(settings.node), plan.document)
}
