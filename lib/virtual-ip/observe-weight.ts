import type { Consul } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { exists, readText } from '../core/atomic-files.ts'
import type { Run } from '../core/reconciler.ts'
import type { Settings } from '../core/settings.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { localDatabase, probeLocal } from '../postgresql/database.ts'
import { isFenced } from '../postgresql/fence-marker.ts'
import { isHeardByAll } from './decide-peers.ts'
import { CLAIM, FIXED_CLAIM, type VirtualIpWeightFacts, YIELD_WEIGHT } from './decide-weight.ts'
import { virtualIpKeys, virtualIpPaths } from './manifest.ts'

/** How long the local database may take to answer: it is asked where Consul is silent, and the address may have to leave. */
const DATABASE_MS = 1000

/** Reads the holder of the lock, the published primary, the policy and keepalived's track file. */
export async function observeVirtualIpWeight(
  { settings, consul }: Context,
  { elapsedMs }: Run,
): Promise<VirtualIpWeightFacts> {
  const { node } = settings
  const file = readText(virtualIpPaths.weight)
  const hasAddress = settings.virtualIp !== null
  const facts = { node, hasAddress, file, leads: null, heard: null, waitedMs: elapsedMs }
  // Consul would not change the decision, and waiting for it costs time.
  if (!hasAddress || isFenced()) return { ...facts, policy: null, leadership: null, fenced: hasAddress }
  const [config, leadership] = await Promise.all([
    orUnknown(consul.get(consulKeys.config)),
    orUnknown(readLeadership(consul)),
  ])
  const policy = config === UNKNOWN || config === null ? UNKNOWN : config.value.policy
  const blind = policy === UNKNOWN || leadership === UNKNOWN
  const leads = blind && file === CLAIM ? await runsPrimary(settings) : null
  const mayClaim =
    policy === 'fixed' && ![FIXED_CLAIM, `${YIELD_WEIGHT}\n`].includes(file ?? '') && config !== UNKNOWN
  const heard = mayClaim && config?.value.vrrp === 'unicast' ? await isHeard(consul, node) : null
  const yields = policy === 'fixed' && exists(virtualIpPaths.yields)
  return { ...facts, policy, leadership, fenced: false, leads, heard, yields }
}

async function isHeard(consul: Consul, node: string): Promise<boolean> {
  const [seats, published] = await Promise.all([
    orUnknown(consul.get(consulKeys.seats)),
    orUnknown(consul.get(virtualIpKeys.peers(node))),
  ])
  if (seats === UNKNOWN || seats === null || published === UNKNOWN) return false
  return isHeardByAll(node, seats.value, published?.value.peers ?? null)
}

async function runsPrimary({ postgresqlPort }: Settings): Promise<boolean> {
  const local = await probeLocal(localDatabase('understudy_monitor', postgresqlPort), DATABASE_MS)
  return local !== UNKNOWN && local.role === 'primary'
}
