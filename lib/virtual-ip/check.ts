import type { Context } from '../consul/handler.ts'
import { repairedBy } from '../consul/repair.ts'
import { answering } from '../core/answering.ts'
import { holdsAddress } from '../core/interfaces.ts'
import { isStopped } from '../core/systemd.ts'
import { claimsAddress } from './claim.ts'
import { virtualIpUnits } from './manifest.ts'
import { virtualIpState } from './state.ts'
import { virtualIpWeight } from './weight.ts'

/** keepalived has nobody to ask. It hangs if it is stopped, or if it keeps an address that it was told to give up. */
const keepalived = answering<Context>(virtualIpUnits.keepalived, async ({ settings }) => {
  const keeps = !claimsAddress() && holdsAddress(settings.virtualIp)
  return !keeps && !(await isStopped(virtualIpUnits.keepalived))
})

/** This component's lines of the periodic check. */
export const lines = [
  repairedBy(virtualIpWeight, 'lead-changed'),
  repairedBy(virtualIpState, virtualIpState.name),
  keepalived,
]
