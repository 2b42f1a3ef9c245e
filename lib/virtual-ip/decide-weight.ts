import type { Leadership } from '../consul/leadership.ts'
import type { PlacementPolicy } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** Added to the primary's VRRP priority. More than the largest gap between priorities, so that it always decides. */
export const PRIMARY_WEIGHT = 100

/** keepalived takes this for a fault and holds no address, see track_file in keepalived.conf(5). */
export const NO_CLAIM = -254

export interface VirtualIpWeightFacts {
  node: string
  /** null, as is `leadership`: not asked for, where the machine is fenced. */
  policy: PlacementPolicy | Unknown | null
  leadership: Leadership | Unknown | null
  /** This machine was the primary, and has stopped its database because it was cut off. */
  fenced: boolean
  /** What keepalived's track file holds, or null. */
  file: string | null
}

export interface VirtualIpWeightPlan {
  do: 'nothing' | 'write'
  why: string
  file?: string
  /** The address leaves this machine, which lives on: the clients that came through it are sent away first. */
  sendAway?: true
}

/**
 * With policy `with-primary` one machine claims the address: who holds the lock, as it is the primary or is about to be; while the
 * lock is free, who was published last, as only it may still be the primary. With `fixed` the address stays by priority.
 */
export function decideVirtualIpWeight({
  node,
  policy,
  leadership,
  fenced,
  file,
}: VirtualIpWeightFacts): VirtualIpWeightPlan {
  const plan = (weight: number, why: string): VirtualIpWeightPlan => {
    if (file === `${weight}\n`) return { do: 'nothing', why }
    const leaves = weight === NO_CLAIM && file !== null
    return { do: 'write', why, file: `${weight}\n`, ...(leaves ? { sendAway: true } : {}) }
  }

  if (fenced || leadership === null) return plan(NO_CLAIM, 'this machine is cut off')
  if (policy === UNKNOWN || leadership === UNKNOWN) {
    if (file === null) return plan(NO_CLAIM, 'Consul does not answer and no primary is known')
    return { do: 'nothing', why: 'Consul does not answer' }
  }
  if (policy === 'fixed') return plan(0, 'the virtual IP stays by priority')
  const { leader, primary } = leadership
  const claims = leader?.session ? leader.value.node : primary?.node
  if (claims === undefined) return plan(NO_CLAIM, 'there is no primary')
  const why = claims === primary?.node ? `${claims} is the primary` : `${claims} has the lock`
  return plan(claims === node ? PRIMARY_WEIGHT : NO_CLAIM, why)
}
