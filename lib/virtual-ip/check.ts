import type { Context } from '../consul/handler.ts'
import { repairedBy } from '../consul/repair.ts'
import { answering } from '../core/answering.ts'
import type { CheckLine } from '../core/component.ts'
import { decideRepair } from '../core/decide-repair.ts'
import { holdsAddress } from '../core/interfaces.ts'
import { isStopped, queueUnit } from '../core/systemd.ts'
import { claimsAddress } from './claim.ts'
import type { VirtualIpPeersFacts } from './decide-peers.ts'
import { virtualIpUnits } from './manifest.ts'
import { virtualIpPeers } from './peers.ts'
import { virtualIpState } from './state.ts'
import { virtualIpWeight } from './weight.ts'

/** keepalived has nobody to ask. It hangs if it is stopped, or if it keeps an address that it was told to give up. */
const keepalived = answering<Context>(virtualIpUnits.keepalived, async ({ settings }) => {
  const keeps = !claimsAddress() && holdsAddress(settings.virtualIp)
  return !keeps && !(await isStopped(virtualIpUnits.keepalived))
})

/** Only root may write keepalived's settings. */
const peers: CheckLine<Context, VirtualIpPeersFacts> = {
  name: virtualIpPeers.name,
  observe: virtualIpPeers.observe,
  decide: (facts) =>
    decideRepair(virtualIpPeers.decide(facts), { reload: 'the configuration of keepalived is out of date' }),
  async apply(plan) {
    if (plan.do !== 'nothing') await queueUnit('start', virtualIpUnits.peers)
  },
}

/** This component's lines of the periodic check. */
export const lines = [
  peers,
  repairedBy(virtualIpWeight, 'lead-changed', { write: 'the weight of the virtual IP is out of date' }),
  repairedBy(virtualIpState, virtualIpState.name, {
    publish: 'the published state of keepalived is out of date',
  }),
  keepalived,
]
