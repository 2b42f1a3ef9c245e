import type { PlacementPolicy } from '../kv.ts'
import { currentPrimary, type Leadership, UNKNOWN, type Unknown } from './facts.ts'

/** Added to the primary's VRRP priority. More than the largest gap between priorities, so that it always decides. */
export const PRIMARY_WEIGHT = 100

/** keepalived takes this for a fault and holds no address, see track_file in keepalived.conf(5). */
export const NO_CLAIM = -254

export interface VipWeightFacts {
  node: string
  /** null, as is `leadership`: not asked for, where the machine is fenced. */
  policy: PlacementPolicy | Unknown | null
  leadership: Leadership | Unknown | null
  /** This machine was the primary, and has stopped its database because it was cut off. */
  fenced: boolean
  /** What keepalived's track file holds, or null. */
  file: string | null
}

export interface VipWeightPlan {
  do: 'nothing' | 'write'
  why: string
  file?: string
}

/**
 * With policy `with-primary` the primary weighs more than all others, and while there is one, nobody else claims the address: a
 * machine that no longer hears the holder may only be cut off from it. With `fixed` the address stays by priority.
 */
export function decideVipWeight({ node, policy, leadership, fenced, file }: VipWeightFacts): VipWeightPlan {
  const plan = (weight: number, why: string): VipWeightPlan =>
    file === `${weight}\n` ? { do: 'nothing', why } : { do: 'write', why, file: `${weight}\n` }

  if (fenced || leadership === null) return plan(NO_CLAIM, 'this machine is cut off')
  if (policy === UNKNOWN || leadership === UNKNOWN) {
    if (file === null) return plan(NO_CLAIM, 'Consul does not answer and no primary is known')
    return { do: 'nothing', why: 'Consul does not answer' }
  }
  if (policy === 'fixed') return plan(0, 'the virtual IP stays by priority')
  const { primary } = leadership
  if (primary?.node === node) return plan(PRIMARY_WEIGHT, `${node} is the primary`)
  const current = currentPrimary(leadership)
  return current ? plan(NO_CLAIM, `${current.node} is the primary`) : plan(0, 'there is no primary')
}
