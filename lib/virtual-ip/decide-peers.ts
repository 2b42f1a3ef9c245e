import { peersOf } from '../consul/decide-peers.ts'
import type { Config, Seats } from '../consul/manifest.ts'
import type { Device } from '../core/interfaces.ts'
import type { Settings } from '../core/settings.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { keepalivedOf, renderKeepalived } from './config.ts'

export interface VirtualIpPeersFacts {
  settings: Settings
  config: Config | null | Unknown
  seats: Seats | null | Unknown
  devices: readonly Device[]
  /** keepalived.conf, or null where there is none. */
  file: string | null
  /** To which members this machine's keepalived sends its adverts, as published once it had read its settings. */
  published: readonly string[] | null | Unknown
}

export interface VirtualIpPeersPlan {
  do: 'nothing' | 'reload'
  why: string
  file?: string
  peers?: string[]
}

/**
 * keepalived's settings name the members to which it sends its adverts, so they change with the members. They are published only once
 * keepalived has been told: a run that died in between is repeated.
 */
export function decideVirtualIpPeers({
  settings,
  config,
  seats,
  devices,
  file,
  published,
}: VirtualIpPeersFacts): VirtualIpPeersPlan {
  if (config === UNKNOWN || seats === UNKNOWN || published === UNKNOWN)
    return { do: 'nothing', why: 'Consul does not answer' }
  if (config === null || seats === null) return { do: 'nothing', why: 'there is no cluster yet' }
  if (config.virtualIp === null) return { do: 'nothing', why: 'the cluster has no virtual IP' }
  if (config.vrrp === 'multicast') return { do: 'nothing', why: 'adverts go to everybody, by multicast' }
  // Until join has set it up.
  if (file === null) return { do: 'nothing', why: 'keepalived has no settings yet' }
  const peers = peersOf(settings.node, seats).map(({ node }) => node)
  const wanted = renderKeepalived(keepalivedOf(settings, config, seats, devices))
  const names = peers.join(', ') || 'nobody'
  if (file === wanted && published?.join() === peers.join())
    return { do: 'nothing', why: `adverts go to ${names}` }
  return { do: 'reload', why: `adverts are to go to ${names}`, file: wanted, peers }
}

/** Does every other member hear this machine? Null without a document: it has not been told to keepalived. */
export const isHeardByAll = (node: string, seats: Seats, published: readonly string[] | null): boolean =>
  published !== null && peersOf(node, seats).every((peer) => published.includes(peer.node))
