import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import { readDevices } from '../core/interfaces.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import type { VirtualIpPeersFacts } from './decide-peers.ts'
import { virtualIpKeys, virtualIpPaths } from './manifest.ts'

/** Reads the members, and what keepalived knows of them. */
export async function observeVirtualIpPeers({ settings, consul }: Context): Promise<VirtualIpPeersFacts> {
  const [config, seats, published] = await Promise.all([
    orUnknown(consul.get(consulKeys.config)),
    orUnknown(consul.get(consulKeys.seats)),
    orUnknown(consul.get(virtualIpKeys.peers(settings.node))),
  ])
  const document = valueIn(published)
  return {
    settings,
    config: valueIn(config),
    seats: valueIn(seats),
    devices: readDevices(),
    file: readText(virtualIpPaths.config),
    published: document === UNKNOWN ? UNKNOWN : (document?.peers ?? null),
  }
}
