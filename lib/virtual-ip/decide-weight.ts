import type { Leadership } from '../consul/leadership.ts'
import type { PlacementPolicy } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** Added to the primary's VRRP priority. More than the largest gap between priorities, so that it always decides. */
export const PRIMARY_WEIGHT = 100

/**
 * How long a claim is kept while neither Consul answers nor a primary runs here: an election of Consul's leader takes 1 to 4 s, and a
 * restart of PostgreSQL in place 1 to 2 s.
 */
export const CLAIM_MS = 4000

/** keepalived treats this weight as a fault and gives the address up, see track_file in keepalived.conf(5). */
export const NO_CLAIM = -254

/** The track file of a machine that claims the address. */
export const CLAIM = `${PRIMARY_WEIGHT}\n`
/** The same where priority places the address. */
export const FIXED_CLAIM = '0\n'
/** The same where a service of this machine has failed: less than any other, but it claims the address if nobody else does. */
export const YIELD_WEIGHT = -50

export interface VirtualIpWeightFacts {
  node: string
  /** The cluster has a virtual IP. */
  hasAddress: boolean
  /** null, as is `leadership`, if the machine is fenced: then Consul is not asked. */
  policy: PlacementPolicy | Unknown | null
  leadership: Leadership | Unknown | null
  /** The fence has stopped the database of this machine. */
  fenced: boolean
  /** Content of keepalived's track file, or null if there is none. */
  file: string | null
  /** The database of this machine runs as a primary. Asked only where Consul does not answer and the file claims the address. */
  leads: boolean | null
  /**
   * Every other member hears this machine's adverts. Asked only where priority places the address by adverts from member to member, and
   * this machine does not claim it yet; else null.
   */
  heard: boolean | null
  /** With policy `fixed`: a service of the operator has failed here, and another machine is to have the address. */
  yields?: boolean
  /** Since this run first looked. */
  waitedMs: number
}

export interface VirtualIpWeightPlan {
  do: 'nothing' | 'write'
  why: string
  file?: string
  /** The address leaves this machine, which stays up: the connections of its clients are closed first. */
  closeConnections?: true
}

/**
 * With policy `with-primary` one machine claims the address: the holder of the lock, which is the primary or about to become it.
 * While the lock is free, it is the published primary, because no other machine can be the primary. With policy `fixed`, VRRP
 * priority places the address. Without Consul a claim is kept only beside a running primary: another machine may have been promoted,
 * and takes the address only once this one lets it go.
 */
export function decideVirtualIpWeight({
  node,
  hasAddress,
  policy,
  leadership,
  fenced,
  file,
  leads,
  heard,
  yields,
  waitedMs,
}: VirtualIpWeightFacts): VirtualIpWeightPlan {
  const plan = (weight: number, why: string): VirtualIpWeightPlan => {
    if (file === `${weight}\n`) return { do: 'nothing', why }
    const leaves = weight === NO_CLAIM && file !== null
    return { do: 'write', why, file: `${weight}\n`, ...(leaves ? { closeConnections: true } : {}) }
  }

  if (!hasAddress) return { do: 'nothing', why: 'the cluster has no virtual IP' }
  if (fenced || leadership === null) return plan(NO_CLAIM, 'this machine is fenced')
  if (policy === UNKNOWN || leadership === UNKNOWN) {
    if (file === null) return plan(NO_CLAIM, 'Consul does not answer and no primary is known')
    if (file !== CLAIM || leads) return { do: 'nothing', why: 'Consul does not answer' }
    const why = 'Consul does not answer and no primary runs on this machine'
    return waitedMs < CLAIM_MS ? { do: 'nothing', why } : plan(NO_CLAIM, why)
  }
  if (policy === 'fixed' && heard === false)
    return plan(NO_CLAIM, "not every other member hears this machine's adverts yet")
  if (policy === 'fixed' && yields)
    return plan(YIELD_WEIGHT, 'a service has failed here, and the virtual IP is to go to another machine')
  if (policy === 'fixed') return plan(0, 'the policy is fixed: the virtual IP is placed by priority')
  const { leader, primary } = leadership
  const claims = leader?.session ? leader.value.node : primary?.node
  if (claims === undefined) return plan(NO_CLAIM, 'there is no primary')
  const why =
    claims === primary?.node
      ? `${claims} is the primary`
      : `${claims} holds the lock and is not published yet`
  return plan(claims === node ? PRIMARY_WEIGHT : NO_CLAIM, why)
}
