import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { unit } from '../core/systemd.ts'
import type { VirtualIpPeersPlan } from './decide-peers.ts'
import { virtualIpKeys, virtualIpPaths, virtualIpUnits } from './manifest.ts'

/** Gives keepalived its settings, which keeps the address meanwhile, and publishes whom it sends its adverts to. */
export async function applyVirtualIpPeers(
  { file, peers }: VirtualIpPeersPlan,
  { settings, consul }: Context,
): Promise<void> {
  if (file === undefined || peers === undefined) return
  replaceFile(virtualIpPaths.config, file)
  // One that is stopped reads it when it starts.
  await unit('try-reload-or-restart', virtualIpUnits.keepalived)
  await consul.set(virtualIpKeys.peers(settings.node), { schema: 1, peers })
}
