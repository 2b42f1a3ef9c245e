import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { holdsAddress } from '../core/interfaces.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown } from '../core/unknown.ts'
import { claimsAddress } from './claim.ts'
import type { VirtualIpStateFacts, VrrpState } from './decide-state.ts'
import { virtualIpKeys } from './manifest.ts'

/** Reads whether this machine holds the virtual IP, and its published state. `event` is the state that keepalived named, or null. */
export async function observeVirtualIpState(
  { settings, consul }: Context,
  _run: Run,
  event: VrrpState | null = null,
): Promise<VirtualIpStateFacts> {
  const published = await orUnknown(consul.get(virtualIpKeys.node(settings.node)))
  return {
    event,
    claims: claimsAddress(),
    holdsAddress: holdsAddress(settings.virtualIp),
    priority: settings.vipPriority,
    published: valueIn(published),
    now: new Date().toISOString(),
  }
}
