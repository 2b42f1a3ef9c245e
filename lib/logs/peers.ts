import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyLogPeers } from './apply-peers.ts'
import { decideLogPeers, type LogPeersFacts, type LogPeersPlan } from './decide-peers.ts'
import { observeLogPeers } from './observe-peers.ts'

/** Sets up the sending of this machine's log to every other member. */
export const logPeers: Reconciler<Context, LogPeersFacts, LogPeersPlan> = {
  name: 'log-peers',
  observe: observeLogPeers,
  decide: decideLogPeers,
  apply: applyLogPeers,
}
