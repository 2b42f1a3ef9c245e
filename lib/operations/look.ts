import { Consul } from '../consul/client.ts'
import { readCluster } from '../consul/join-cluster.ts'
import type { ClusterFacts, JoinerOptions, MachineFacts } from '../consul/joining.ts'
import { type ThroughProbe, throughProbe } from '../consul/probe.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { checkAddresses } from './preflight.ts'

/**
 * Looks into the cluster that this machine wants to join, or is a member of already, and changes nothing there.
 *
 * @param look reads through a Consul that leads there, which is gone afterwards.
 * @throws one sentence where there is no cluster.
 */
export async function throughCluster<T>(
  { consulJoin: addresses }: JoinerOptions,
  machine: MachineFacts,
  look: (consul: Consul, cluster: ClusterFacts) => Promise<T>,
): Promise<ThroughProbe<T>> {
  const lookAt = (consul: Consul, cluster: ClusterFacts | null): Promise<T> => {
    if (cluster) return look(consul, cluster)
    throw new UnderstudyError(
      EXIT.config,
      `the Consul at ${addresses.join(' or ')} holds no understudy cluster; start one with --virtual-ip`,
    )
  }
  if (machine.settings) {
    const consul = new Consul()
    const cluster = await orUnknown(readCluster(consul))
    // Where a member's own Consul does not answer, it looks from outside like any other machine.
    if (cluster !== UNKNOWN) {
      if (cluster) checkAddresses(cluster, addresses)
      return { result: await lookAt(consul, cluster), left: Promise.resolve() }
    }
  }
  return throughProbe(addresses, machine.node, async (consul) => lookAt(consul, await readCluster(consul)))
}
