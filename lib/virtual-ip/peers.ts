import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyVirtualIpPeers } from './apply-peers.ts'
import { decideVirtualIpPeers, type VirtualIpPeersFacts, type VirtualIpPeersPlan } from './decide-peers.ts'
import { observeVirtualIpPeers } from './observe-peers.ts'

/** Keeps keepalived's list of the other members up to date. */
export const virtualIpPeers: Reconciler<Context, VirtualIpPeersFacts, VirtualIpPeersPlan> = {
  name: 'virtual-ip-peers',
  observe: observeVirtualIpPeers,
  decide: decideVirtualIpPeers,
  apply: applyVirtualIpPeers,
}
