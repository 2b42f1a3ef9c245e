import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { decideVirtualIpWeight, NO_CLAIM, type VirtualIpWeightFacts } from '../virtual-ip/decide-weight.ts'

export interface ActiveFacts {
  node: string
  /** What decides whether this machine claims the virtual IP. */
  weight: VirtualIpWeightFacts
  /** The address is on an interface of this machine. */
  holdsAddress: boolean
  /** Who leads, where the cluster has no virtual IP; else `weight` has it. */
  leadership: Leadership | Unknown | null
}

/** Is this the active machine? `unknown`: nobody can say, so nothing starts here, and what runs here goes on. */
export interface ActivePlan {
  state: 'here' | 'elsewhere' | 'unknown'
  why: string
}

/**
 * The active machine has the virtual IP, and claims it. With the policy `with-primary`, and without an address, it is also the
 * published primary and holds its lock. A machine that is about to give the address up is not active any more.
 */
export function decideActive({ node, weight, holdsAddress, leadership }: ActiveFacts): ActivePlan {
  if (weight.hasAddress) {
    const claim = decideVirtualIpWeight(weight)
    if ((claim.file ?? weight.file) === `${NO_CLAIM}\n`) return { state: 'elsewhere', why: claim.why }
    if (!holdsAddress) return { state: 'elsewhere', why: 'the virtual IP is not on this machine' }
    if (weight.policy === UNKNOWN) return { state: 'unknown', why: 'Consul does not answer' }
    if (weight.policy === 'fixed') return { state: 'here', why: 'the virtual IP is on this machine' }
  }
  const leads = weight.hasAddress ? weight.leadership : leadership
  if (weight.fenced) return { state: 'elsewhere', why: 'this machine is fenced' }
  if (leads === UNKNOWN || leads === null) return { state: 'unknown', why: 'Consul does not answer' }
  const primary = currentPrimary(leads)
  if (primary?.node === node) return { state: 'here', why: `${node} is the primary` }
  if (primary !== null) return { state: 'elsewhere', why: `${primary.node} is the primary` }
  if (leads.leader?.session && leads.leader.value.node !== node)
    return { state: 'elsewhere', why: `${leads.leader.value.node} holds the lock` }
  // A primary that has lost its lock mostly takes it back.
  return leads.leader?.value.node === node
    ? { state: 'unknown', why: 'no machine is the primary at this moment' }
    : { state: 'elsewhere', why: 'no machine is the primary at this moment' }
}
