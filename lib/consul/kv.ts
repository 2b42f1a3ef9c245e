import * as v from 'valibot'
import { parseCidr } from '../core/network.ts'

/**
 * Every key the cluster keeps in Consul, with the schema of its value. Nowhere else is a key spelled out.
 * Values are JSON objects with a `schema` number; keys are relative to the prefix (default `understudy/`).
 */

const name = v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'not a host name'))
const address = v.pipe(v.string(), v.ipv4())
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535))
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const time = v.pipe(v.string(), v.isoTimestamp())
/** An unquoted SQL identifier: what may be a database or user name without ever needing quotes. */
export const identifier = v.pipe(v.string(), v.regex(/^[a-z_][a-z0-9_]{0,62}$/, 'not a plain SQL identifier'))
const cidr = v.pipe(
  v.string(),
  v.check((text) => parseCidr(text) !== null, 'not ADDRESS/PREFIX'),
)

const config = v.object({
  schema: v.literal(1),
  /** Made once, at bootstrap. */
  clusterId: v.pipe(v.string(), v.uuid()),
  virtualIp: cidr,
  /** VRRP virtual router id, 1-255. */
  routerId: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(255)),
  /** `with-primary`: the virtual IP follows the primary. `fixed`: it stays by priority. */
  policy: v.picklist(['with-primary', 'fixed']),
  /** What a commit waits for, see lib/postgresql/decide-durability.ts. Clusters founded without it have the default. */
  durability: v.optional(v.picklist(['quorum', 'strict', 'async']), 'quorum'),
  database: identifier,
  user: identifier,
  /** Major version; the same on every member. */
  postgresqlVersion: count,
})
export type Config = v.InferOutput<typeof config>
export type PlacementPolicy = Config['policy']
export type DurabilityMode = Config['durability']

const credentials = v.object({
  schema: v.literal(1),
  /** Replication, repmgr and rejoin. */
  repmgr: v.string(),
  /** Read-only monitoring: status and checks. */
  monitor: v.string(),
  /** The application's user. */
  app: v.string(),
})
export type Credentials = v.InferOutput<typeof credentials>

const seats = v.object({
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

const node = v.object({
  schema: v.literal(1),
  address,
  joinedAt: time,
  versions: v.record(v.string(), v.string()),
})
export type NodeDocument = v.InferOutput<typeof node>

const keepalivedNode = v.object({
  schema: v.literal(1),
  priority: count,
  state: v.picklist(['MASTER', 'BACKUP', 'FAULT', 'STOP']),
  since: time,
})
export type KeepalivedNode = v.InferOutput<typeof keepalivedNode>

const postgresqlNode = v.object({ schema: v.literal(1), repmgrId: count, address, port })
export type PostgresqlNode = v.InferOutput<typeof postgresqlNode>

/** The value says who took the lock and why; who *holds* it is the session that Consul keeps with the key. */
const leader = v.object({ schema: v.literal(1), node: name, since: time, why: v.string() })
export type Leader = v.InferOutput<typeof leader>

const primary = v.object({
  schema: v.literal(1),
  node: name,
  address,
  port,
  timeline: count,
  /** LockIndex of `postgresql/leader` at publication: grows with every acquisition. */
  epoch: count,
})
export type Primary = v.InferOutput<typeof primary>

const sync = v.object({
  schema: v.literal(1),
  /** The primary that wrote it. It may always lead again itself: it has all that it acknowledged. */
  node: name,
  /** Standbys that may be promoted; none: nobody but the primary itself. */
  voters: v.array(name),
  /** How many of the voters, a candidate among them, must stand still and be seen before one is promoted. */
  need: count,
})
export type Sync = v.InferOutput<typeof sync>

const syncthingNode = v.object({
  schema: v.literal(1),
  deviceId: v.pipe(v.string(), v.regex(/^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/, 'not a device id of Syncthing')),
  address,
})
export type SyncthingNode = v.InferOutput<typeof syncthingNode>

/** A folder that every member has the same files in. */
export const folder = v.object({
  /** Syncthing's name of it. Never used again, so that a folder that was removed and added elsewhere is another one. */
  id: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,79}$/, 'not the id of a folder')),
  path: v.pipe(v.string(), v.startsWith('/')),
  /** Names of the directory's owner and group, and its mode in octal: where it is missing, it is made so. */
  owner: v.string(),
  group: v.string(),
  mode: v.pipe(v.string(), v.regex(/^[0-7]{4}$/, 'not a mode in octal')),
  /** Patterns of what is not replicated, see https://docs.syncthing.net/users/ignoring.html. */
  ignore: v.array(v.string()),
  /** Keep what others replace or delete. */
  versioning: v.boolean(),
  /** Take in what a machine already has in a directory of this path. */
  mergeFiles: v.boolean(),
})
export type Folder = v.InferOutput<typeof folder>
/** What a directory is made like. */
export type Ownership = Pick<Folder, 'owner' | 'group' | 'mode'>

const folders = v.object({
  schema: v.literal(1),
  /** By label. Each is checked on its own, so that one that is malformed does not hide the others. */
  folders: v.custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'not by label',
  ),
})
export type FoldersDocument = v.InferOutput<typeof folders>

const history = v.object({
  schema: v.literal(1),
  at: time,
  node: name,
  event: v.string(),
  message: v.string(),
  details: v.optional(v.record(v.string(), v.unknown())),
})

/** A key together with the schema of its value. */
export interface Key<T> {
  readonly path: string
  readonly schema: v.GenericSchema<unknown, T>
}

/** A key as Consul has it. `session` is null while nobody holds it as a lock. */
export interface Entry<T> {
  value: T
  modifyIndex: number
  /** How often the key was acquired as a lock. */
  lockIndex: number
  session: string | null
}

const key = <T>(path: string, schema: v.GenericSchema<unknown, T>): Key<T> => ({ path, schema })

export const DEFAULT_PREFIX = 'understudy/'

export const kv = {
  config: key('config', config),
  credentials: key('credentials', credentials),
  seats: key('seats', seats),
  nodes: key('nodes/', node),
  node: (nodeName: string) => key(`nodes/${nodeName}`, node),
  keepalivedNodes: key('keepalived/nodes/', keepalivedNode),
  keepalivedNode: (nodeName: string) => key(`keepalived/nodes/${nodeName}`, keepalivedNode),
  postgresqlNodes: key('postgresql/nodes/', postgresqlNode),
  postgresqlNode: (nodeName: string) => key(`postgresql/nodes/${nodeName}`, postgresqlNode),
  leader: key('postgresql/leader', leader),
  primary: key('postgresql/primary', primary),
  sync: key('postgresql/sync', sync),
  syncthingNodes: key('syncthing/nodes/', syncthingNode),
  syncthingNode: (nodeName: string) => key(`syncthing/nodes/${nodeName}`, syncthingNode),
  folders: key('syncthing/folders', folders),
  histories: key('history/', history),
  history: (at: string, nodeName: string, event: string) =>
    key(`history/${at}-${nodeName}-${event}`, history),
} as const
