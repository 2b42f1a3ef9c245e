import type { Context } from '../consul/handler.ts'
import type { CheckLine, CheckPlan } from '../core/component.ts'
import { queueUnit } from '../core/systemd.ts'
import { decideLogPeers, type LogPeersFacts, lateCopies } from './decide-peers.ts'
import { logsUnits } from './manifest.ts'
import { observeLogPeers } from './observe-peers.ts'

/** Only root may have a unit run at every boot. */
const peers: CheckLine<Context, LogPeersFacts, CheckPlan> = {
  name: 'log-peers',
  observe: observeLogPeers,
  decide(facts) {
    const { do: what, why } = decideLogPeers(facts)
    return { do: what, why, problems: lateCopies(facts) }
  },
  async apply(plan) {
    if (plan.do !== 'nothing') await queueUnit('start', logsUnits.peers)
  },
}

/** This component's lines of the periodic check. */
export const lines = [peers]
