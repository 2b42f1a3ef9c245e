import type { Component, ConsulSettings } from '../core/component.ts'
import { DEFAULT_REALM, type Realm, sameRealm } from './realm.ts'

/** The defaults suit large networks. With these values, a silent machine is noticed in about two seconds. */
const GOSSIP = {
  gossip_interval: '100ms',
  probe_interval: '300ms',
  probe_timeout: '150ms',
  suspicion_mult: 3,
}

export interface ConsulOptions {
  node: string
  address: string
  dataDirectory: string
  realm: Realm
}

/** The agent's own settings, for Consul 1.8 and later. See https://developer.hashicorp.com/consul/docs/agent/config. */
export function renderConsulAgent({ node, address, dataDirectory, realm }: ConsulOptions): string {
  return json({
    server: true,
    node_name: node,
    bind_addr: address,
    client_addr: '127.0.0.1',
    data_dir: dataDirectory,
    datacenter: realm.datacenter,
    // Without a WAN pool: it is not kept apart by a datacenter. Older clusters have one.
    ports: { server: realm.serverPort, ...(sameRealm(realm, DEFAULT_REALM) ? {} : { serf_wan: -1 }) },
    retry_interval: '1s',
    rejoin_after_leave: true,
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    disable_update_check: true,
    enable_local_script_checks: true,
    // By default, Consul waits up to minutes before it stores new output of a check whose status stays the same.
    check_update_interval: '0s',
    performance: { raft_multiplier: 1 },
    gossip_lan: GOSSIP,
    // Without min_quorum, the clean-up of dead servers could shrink the quorum to one machine.
    // Until a new server has been healthy for the stabilization time (10 s by default), it has no vote; autopilot looks every 10 s.
    autopilot: { cleanup_dead_servers: true, min_quorum: 3, server_stabilization_time: '1s' },
  })
}

/** Whom the agent looks for at its start, every second until one answers: all other members. */
export const renderConsulMembers = (addresses: readonly string[]): string => json({ retry_join: addresses })

/** A temporary client, with ports and data of its own, that reads the cluster before this machine joins it. */
export function renderConsulProbe(probe: {
  name: string
  datacenter: string
  bind: string
  join: string
  dataDirectory: string
  http: number
  serf: number
}): string {
  return json({
    node_name: probe.name,
    datacenter: probe.datacenter,
    bind_addr: probe.bind,
    client_addr: '127.0.0.1',
    data_dir: probe.dataDirectory,
    ports: { http: probe.http, serf_lan: probe.serf, dns: -1 },
    // Without a port, Consul would try this client's own serf port.
    retry_join: [`${probe.join}:8301`],
    retry_interval: '1s',
    disable_update_check: true,
    disable_host_node_id: true,
    gossip_lan: GOSSIP,
  })
}

/** Only for the first start of the first machine, which founds a cluster. */
export const renderConsulBootstrap = (): string => json({ bootstrap_expect: 1 })

/** Services, checks and watches of a member, from the manifests of the components. */
export function renderConsulServices(
  components: readonly Pick<Component<unknown>, 'consul'>[],
  settings: ConsulSettings,
): string {
  const definitions = components.map((component) => component.consul(settings))
  return json({
    services: definitions.flatMap(({ services }) => services),
    watches: definitions.flatMap(({ watches }) => watches),
  })
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
