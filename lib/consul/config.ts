import services from '../../consul-config/services.json' with { type: 'json' }
import { paths, units } from '../core/paths.ts'
import type { Settings } from '../core/settings.ts'
import { DEFAULT_PREFIX } from './kv.ts'

/** The defaults are meant for large networks; these notice a silent machine in about two seconds (docs/fencing.md). */
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
  /** Addresses of members to join; empty for the first machine. */
  join: readonly string[]
}

/** The agent's own settings, for Consul 1.8 and later. See https://developer.hashicorp.com/consul/docs/agent/config. */
export function renderConsulAgent({ node, address, dataDirectory, join }: ConsulOptions): string {
  return json({
    server: true,
    node_name: node,
    bind_addr: address,
    client_addr: '127.0.0.1',
    data_dir: dataDirectory,
    retry_join: join,
    retry_interval: '1s',
    rejoin_after_leave: true,
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    disable_update_check: true,
    enable_local_script_checks: true,
    // By default what a check says is known to the others only after minutes, where it warned before.
    check_update_interval: '0s',
    performance: { raft_multiplier: 1 },
    gossip_lan: GOSSIP,
    // Without it the clean-up of dead servers may shrink the quorum to one machine.
    // A new server votes once it has been well for this long (10 s by default): until then it does not count as a third.
    autopilot: { cleanup_dead_servers: true, min_quorum: 3, server_stabilization_time: '3s' },
  })
}

/** A client that joins for a moment to look, with ports and data of its own. */
export function renderConsulProbe(probe: {
  name: string
  bind: string
  join: string
  dataDirectory: string
  http: number
  serf: number
}): string {
  return json({
    node_name: probe.name,
    bind_addr: probe.bind,
    client_addr: '127.0.0.1',
    data_dir: probe.dataDirectory,
    ports: { http: probe.http, serf_lan: probe.serf, dns: -1 },
    // The default port is the own one, which is not the usual here.
    retry_join: [`${probe.join}:8301`],
    retry_interval: '1s',
    disable_update_check: true,
    disable_host_node_id: true,
    gossip_lan: GOSSIP,
  })
}

/** Only for the very first start of the very first machine: it makes a cluster of its own. */
export const renderConsulBootstrap = (): string => json({ bootstrap_expect: 1 })

/** Services, checks and watches of a member; keys and database port as this cluster has them. */
export function renderConsulServices({
  kvPrefix,
  postgresqlPort,
  postgresqlVersion,
}: Pick<Settings, 'kvPrefix' | 'postgresqlPort' | 'postgresqlVersion'>): string {
  const where = [units.postgresql(postgresqlVersion), paths.postgresqlData(postgresqlVersion)]
  return json({
    services: services.services.map((service) =>
      service.id === 'postgresql' ? withDatabase(service, postgresqlPort, where) : service,
    ),
    watches: services.watches.map((watch) => ({
      ...watch,
      ...(watch.key === undefined ? {} : { key: withPrefix(watch.key, kvPrefix) }),
      ...(watch.prefix === undefined ? {} : { prefix: withPrefix(watch.prefix, kvPrefix) }),
    })),
  })
}

const withPrefix = (key: string, prefix: string): string => prefix + key.slice(DEFAULT_PREFIX.length)

/** The database's service where its database listens and lies. */
const withDatabase = <S extends { checks: object[] }>(service: S, port: number, where: string[]) => ({
  ...service,
  port,
  checks: service.checks.map((check) =>
    'args' in check && Array.isArray(check.args)
      ? { ...check, args: [...check.args, ...where, `--port=${port}`] }
      : check,
  ),
})

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
