import * as v from 'valibot'
import { address, cidr, count, identifier, name, port, time } from '../core/schema.ts'
import { partMode } from '../core/settings.ts'

export const config = v.object({
  schema: v.literal(1),
  /** Made once, at bootstrap. */
  clusterId: v.pipe(v.string(), v.uuid()),
  /** null: the cluster has none. */
  virtualIp: v.nullable(cidr),
  /** The members' network, where it is not that of the virtual IP. */
  network: v.exactOptional(cidr),
  /** Called on every member when the primary changes: absolute path of a program. */
  virtualIpCommand: v.exactOptional(v.string()),
  /** How the machines' keepalived reach each other. Clusters founded without it use multicast. */
  vrrp: v.optional(v.picklist(['multicast', 'unicast']), 'multicast'),
  /** VRRP virtual router id, 1-255. */
  routerId: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(255)),
  /** `with-primary`: the virtual IP follows the primary. `fixed`: it stays by priority. */
  policy: v.picklist(['with-primary', 'fixed']),
  /** What a commit waits for, see lib/postgresql/decide-durability.ts. Clusters founded without it have the default. */
  durability: v.optional(v.picklist(['quorum', 'strict', 'async']), 'quorum'),
  /** How fast a copy of the primary may be, as pg_basebackup takes it; without it there is no limit. */
  copyRate: v.optional(v.pipe(v.string(), v.regex(/^\d+[kM]$/))),
  database: identifier,
  user: identifier,
  /** Major version; the same on every member. */
  postgresqlVersion: count,
  /** What RabbitMQ is in this cluster; without it the cluster has none. */
  rabbitmq: v.exactOptional(partMode),
  /** What its search servers are; without it the cluster has none. */
  search: v.exactOptional(partMode),
  /** Their unit and their directory of settings, where these are not found. */
  searchUnit: v.exactOptional(v.string()),
  searchConfig: v.exactOptional(v.string()),
})
export type Config = v.InferOutput<typeof config>
export type PlacementPolicy = Config['policy']
export type DurabilityMode = Config['durability']
export type PartMode = v.InferOutput<typeof partMode>

export const credentials = v.object({
  schema: v.literal(1),
  /** Replication, repmgr and rejoin. */
  repmgr: v.string(),
  /** Read-only monitoring: status and checks. */
  monitor: v.string(),
  /** The application's user. */
  app: v.string(),
})
export type Credentials = v.InferOutput<typeof credentials>

export const pooled = v.object({
  schema: v.literal(1),
  /** Databases behind PgBouncer, beside the one of the application. */
  databases: v.array(v.string()),
  /** Settings of PgBouncer by name, see lib/pooler/settings.ts. Others have our defaults. */
  settings: v.record(v.string(), v.string()),
})
export type Pooled = v.InferOutput<typeof pooled>

export const seats = v.object({
  schema: v.literal(1),
  /** What must be unique, claimed for every member by one compare-and-set on this one key. */
  seats: v.record(
    name,
    v.object({
      /** The machine's own id, so that a retried join recognises its own claim. */
      machineId: v.string(),
      address,
      repmgrId: count,
      vipPriority: count,
    }),
  ),
})
export type Seats = v.InferOutput<typeof seats>

export const node = v.object({
  schema: v.literal(1),
  address,
  joinedAt: time,
  versions: v.record(v.string(), v.string()),
})
export type NodeDocument = v.InferOutput<typeof node>

/** The value says who took the lock and why; who *holds* it is the session that Consul keeps with the key. */
export const leader = v.object({ schema: v.literal(1), node: name, since: time, why: v.string() })
export type Leader = v.InferOutput<typeof leader>

export const primary = v.object({
  schema: v.literal(1),
  node: name,
  address,
  port,
  timeline: count,
  /** LockIndex of `postgresql/leader` at publication. It may repeat; builds that do not write `index` compare nothing else. */
  epoch: count,
  /** ModifyIndex of `postgresql/leader` at publication, the epoch: grows with every acquisition, whatever happens to the key. */
  index: v.exactOptional(count),
})
export type Primary = v.InferOutput<typeof primary>

export const history = v.object({
  schema: v.literal(1),
  at: time,
  node: name,
  event: v.string(),
  message: v.string(),
  details: v.optional(v.record(v.string(), v.unknown())),
})

export const written = v.object({ schema: v.literal(1), node: name, at: time })
