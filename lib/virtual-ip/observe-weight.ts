import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readText } from '../core/atomic-files.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { isFenced } from '../postgresql/fence-marker.ts'
import type { VirtualIpWeightFacts } from './decide-weight.ts'
import { virtualIpPaths } from './manifest.ts'

/** Reads the holder of the lock, the published primary, the policy and keepalived's track file. */
export async function observeVirtualIpWeight({ settings, consul }: Context): Promise<VirtualIpWeightFacts> {
  const { node } = settings
  const file = readText(virtualIpPaths.weight)
  // Consul would not change the decision, and waiting for it costs time.
  if (isFenced()) return { node, policy: null, leadership: null, fenced: true, file }
  const [config, leadership] = await Promise.all([
    orUnknown(consul.get(consulKeys.config)),
    orUnknown(readLeadership(consul)),
  ])
  const policy = config === UNKNOWN || config === null ? UNKNOWN : config.value.policy
  return { node, policy, leadership, fenced: false, file }
}
