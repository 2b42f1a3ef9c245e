import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { KeepalivedNode } from './manifest.ts'

export type VrrpState = KeepalivedNode['state']

export interface VirtualIpStateFacts {
  /** State named by keepalived's event, or null where we look without an event. */
  event: VrrpState | null
  /** Does this machine want the address at all? Where it does not, keepalived speaks of a fault. */
  claims: boolean
  /** Is the virtual IP on one of our interfaces? */
  holdsAddress: boolean
  priority: number
  published: KeepalivedNode | null | Unknown
  now: string
}

export interface VirtualIpStatePlan {
  do: 'nothing' | 'publish'
  why: string
  document?: KeepalivedNode
}

/**
 * What to publish of this machine's VRRP state. keepalived's notify calls may overlap and arrive out of order
 * (acassen/keepalived#996), so whether we hold the address is read, not believed: an event only tells FAULT and STOP apart
 * from BACKUP.
 */
export function decideVirtualIpState({
  event,
  claims,
  holdsAddress,
  priority,
  published,
  now,
}: VirtualIpStateFacts): VirtualIpStatePlan {
  if (published === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer' }
  const without = event === 'STOP' || (event === 'FAULT' && claims) ? event : keep(event, claims, published)
  const state: VrrpState = holdsAddress ? 'MASTER' : without
  if (published?.state === state && published.priority === priority)
    return { do: 'nothing', why: `already published: ${state}` }
  const since = published?.state === state ? published.since : now
  return {
    do: 'publish',
    why: `${published?.state ?? 'unpublished'} -> ${state}`,
    document: { schema: 1, priority, state, since },
  }
}

/** Without an event FAULT and STOP stay; everything else that has no address is BACKUP. */
const keep = (event: VrrpState | null, claims: boolean, published: KeepalivedNode | null): VrrpState => {
  if (event !== null) return 'BACKUP'
  return published?.state === 'STOP' || (published?.state === 'FAULT' && claims) ? published.state : 'BACKUP'
}
