import * as v from 'valibot'
import definitions from '../../consul-config/consul.json' with { type: 'json' }
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { paths } from '../core/paths.ts'
import { address, cidr, count, identifier, name, port, time } from '../core/schema.ts'
import { definitionsOf } from './definitions.ts'
import type { Context } from './handler.ts'

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

const history = v.object({
  schema: v.literal(1),
  at: time,
  node: name,
  event: v.string(),
  message: v.string(),
  details: v.optional(v.record(v.string(), v.unknown())),
})

/** What of the cluster is nobody's but Consul's: who belongs to it, and who leads. */
export const consulKeys = {
  config: key('config', config),
  credentials: key('credentials', credentials),
  seats: key('seats', seats),
  nodes: key('nodes/', node),
  node: (nodeName: string) => key(`nodes/${nodeName}`, node),
  leader: key('postgresql/leader', leader),
  primary: key('postgresql/primary', primary),
  histories: key('history/', history),
  history: (at: string, nodeName: string, event: string) =>
    key(`history/${at}-${nodeName}-${event}`, history),
} as const

export const consulPaths = {
  config: '/etc/consul.d/understudy.json',
  bootstrap: '/etc/consul.d/understudy-bootstrap.json',
  services: '/etc/consul.d/understudy-services.json',
  data: '/var/lib/consul',
} as const

export const consulUnits = { agent: 'consul.service' } as const

/** Consul: state, membership and who leads. */
export const consul: Component<Context> = /* @__PURE__ */ describe(() => ({
  name: 'consul',
  title: 'Consul',
  keys: consulKeys,
  keysAbout: [
    { key: 'config', holds: 'settings of the cluster', writtenBy: '`join` on the first machine' },
    {
      key: 'credentials',
      holds: 'passwords of repmgr, monitoring and the application',
      writtenBy: '`join` on the first machine',
    },
    {
      key: 'seats',
      holds: 'what must be unique: repmgr ids, priorities, addresses',
      writtenBy: '`join`, by compare-and-set',
    },
    { key: 'nodes/NODE', holds: 'address, time of the join, versions', writtenBy: '`join`' },
    {
      key: 'postgresql/leader',
      holds: 'the lock: who may lead, and why',
      writtenBy: 'the gate and the start gate',
    },
    {
      key: 'postgresql/primary',
      holds: 'who leads: address, port, timeline, epoch',
      writtenBy: 'the holder of the lock',
    },
    { key: 'history/TIME-NODE-EVENT', holds: 'what happened; the newest 200', writtenBy: 'all' },
  ],
  paths: { ...consulPaths, ...paths },
  filesAbout: [
    { path: paths.node, holds: 'what this machine knows of itself as a member' },
    { path: '/run/understudy/lock/', holds: 'locks of the handlers' },
    { path: consulPaths.config, holds: "settings of Consul's agent" },
    { path: consulPaths.services, holds: 'services, checks and watches' },
  ],
  ports: [
    { port: '8300 tcp, 8301 tcp+udp', who: 'members', what: 'Consul: servers and gossip' },
    { port: '8500 tcp, 8600 tcp+udp', who: 'this machine only', what: "Consul's API and DNS" },
  ],
  handlers: [
    {
      name: 'check',
      user: 'consul',
      calledBy: 'the check `understudy`, every 15 s',
      does: 'compares, repairs, reports',
    },
    {
      name: 'lead-changed',
      user: 'consul',
      calledBy: 'watches on `postgresql/primary` and `config`; `leader-released`',
      does: 'lets this machine follow the primary',
    },
    {
      name: 'service-tag',
      user: 'consul',
      calledBy: '`check`, people',
      does: "tags the database's service with its role",
    },
  ],
  daemons: [],
  package: {
    depends: [
      { package: 'adduser' },
      { package: 'consul', minimum: '1.8', program: '/usr/bin/consul' },
      { package: 'dbus' },
      { package: 'nodejs', minimum: '18.19' },
      { package: 'polkitd' },
      { package: 'systemd', program: '/usr/bin/systemctl' },
      { package: 'util-linux', program: '/usr/bin/flock' },
    ],
    dropIns: [
      { unit: consulUnits.agent, file: 'restart.conf', as: 'understudy.conf' },
      { unit: consulUnits.agent, file: 'consul.conf', as: 'understudy-priority.conf' },
    ],
    tmpfiles: [
      'd /run/understudy 0755 root root',
      'd /run/understudy/lock 0770 consul understudy',
      'd /run/understudy/check 0755 consul consul',
      'd /var/lib/understudy 0755 root root',
    ],
    users: ['addgroup --system --quiet understudy', 'adduser --quiet consul understudy'],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
}))
