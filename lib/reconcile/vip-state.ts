import { UNKNOWN } from '../decide/facts.ts'
import { decideVipState, type VipStateFacts, type VipStatePlan, type VrrpState } from '../decide/vip-state.ts'
import { NO_CLAIM } from '../decide/vip-weight.ts'
import { kv } from '../kv.ts'
import { paths } from '../paths.ts'
import type { Reconciler } from '../reconciler.ts'
import { readText } from '../world/files.ts'
import { holdsAddress } from '../world/interfaces.ts'
import { known } from './observe.ts'

/** Publishes whether this machine holds the virtual IP. `event` is the state keepalived named, or null. */
export const vipState = (event: VrrpState | null): Reconciler<VipStateFacts, VipStatePlan> => ({
  name: 'keepalived-notify',

  async observe({ settings, consul }) {
    const published = await known(consul.get(kv.keepalivedNode(settings.node)))
    return {
      event,
      claims: readText(paths.vipWeight) !== `${NO_CLAIM}\n`,
      holdsAddress: holdsAddress(settings.virtualIp),
      priority: settings.vipPriority,
      published: published === UNKNOWN ? UNKNOWN : (published?.value ?? null),
      now: new Date().toISOString(),
    }
  },

  decide: decideVipState,

  async apply(plan, { settings, consul }) {
    if (plan.document) await consul.set(kv.keepalivedNode(settings.node), plan.document)
  },
})
