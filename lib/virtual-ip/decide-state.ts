import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { KeepalivedNode } from './manifest.ts'

export type VrrpState = KeepalivedNode['state']

export interface VirtualIpStateFacts {
  /** The state that keepalived's event names, or null in the periodic check. */
  event: VrrpState | null
  /** Whether this machine claims the address. If it does not, keepalived reports a fault. */
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
 * The VRRP state to publish for this machine. keepalived's notify calls may overlap and arrive out of order
 * (acassen/keepalived#996). So the event does not decide whether this machine holds the address, its interface does; the event
 * only distinguishes FAULT and STOP from BACKUP.
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
  const state = holdsAddress ? 'MASTER' : stateWithoutAddress(event, claims, published)
  if (published?.state === state && published.priority === priority)
    return { do: 'nothing', why: `the state ${state} is already published` }
  const since = published?.state === state ? published.since : now
  return {
    do: 'publish',
    why: change(published, state, priority),
    document: { schema: 1, priority, state, since },
  }
}

/** Without an event, FAULT and STOP stay. Any other state without the address is BACKUP. */
function stateWithoutAddress(
  event: VrrpState | null,
  claims: boolean,
  published: KeepalivedNode | null,
): VrrpState {
  const state = event ?? published?.state
  return state === 'STOP' || (state === 'FAULT' && claims) ? state : 'BACKUP'
}

function change(published: KeepalivedNode | null, state: VrrpState, priority: number): string {
  if (!published) return `no state was published before ${state}`
  if (published.state !== state) return `the state changed from ${published.state} to ${state}`
  return `the priority changed from ${published.priority} to ${priority}`
}
