import definitions from '../../consul-config/consul.json' with { type: 'json' }
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { paths } from '../core/paths.ts'
import { definitionsOf } from './definitions.ts'
import type { Context } from './handler.ts'
import type { Joining } from './joining.ts'
import * as schemas from './schemas.ts'

export type {
  Config,
  Credentials,
  DurabilityMode,
  Leader,
  NodeDocument,
  PartMode,
  PlacementPolicy,
  Pooled,
  Primary,
  Seats,
} from './schemas.ts'

/** What of the cluster is nobody's but Consul's: who belongs to it, and who leads. */
export const consulKeys = {
  config: key('config', schemas.config),
  credentials: key('credentials', schemas.credentials),
  pooled: key('pgbouncer', schemas.pooled),
  seats: key('seats', schemas.seats),
  nodes: key('nodes/', schemas.node),
  node: (nodeName: string) => key(`nodes/${nodeName}`, schemas.node),
  leader: key('postgresql/leader', schemas.leader),
  primary: key('postgresql/primary', schemas.primary),
  written: key('written', schemas.written),
  histories: key('history/', schemas.history),
  history: (at: string, nodeName: string, event: string) =>
    key(`history/${at}-${nodeName}-${event}`, schemas.history),
} as const

export const consulPaths = {
  config: '/etc/consul.d/understudy.json',
  bootstrap: '/etc/consul.d/understudy-bootstrap.json',
  services: '/etc/consul.d/understudy-services.json',
  /** A link to {@link memberList}: the user consul may not write here. */
  members: '/etc/consul.d/understudy-members.json',
  memberList: '/var/lib/understudy/consul/members.json',
} as const

export const consulUnits = {
  agent: 'consul.service',
  /** Configures this member as the installed package wants it. */
  upgrade: 'understudy-upgrade.service',
} as const

/** Consul: state, membership and who leads. */
export const consul: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'consul',
  title: 'Consul',
  keys: consulKeys,
  keysAbout: [
    { key: 'config', holds: 'the settings of the cluster', writtenBy: 'the first join' },
    {
      key: 'credentials',
      holds: "the passwords of repmgr, of monitoring and of the application's user, in clear text",
      writtenBy: 'the first join',
    },
    {
      key: 'pgbouncer',
      holds: 'more databases behind PgBouncer, and its settings',
      writtenBy: 'first join, `understudy databases`',
    },
    {
      key: 'seats',
      holds: 'for every member: machine id, address, repmgr id, VRRP priority',
      writtenBy: 'join',
    },
    { key: 'nodes/NODE', holds: 'address, when it joined, versions', writtenBy: 'join' },
    {
      key: 'postgresql/leader',
      holds: 'the lock: who took it, when and why; held by a session of that machine',
      writtenBy: 'first join, failover, start gate',
    },
    {
      key: 'postgresql/primary',
      holds: 'the published primary: node, address, port, timeline, epoch',
      writtenBy: 'first join, `failover`',
    },
    {
      key: 'written',
      holds: "when Consul's leader last wrote something, as a proof that it can",
      writtenBy: '`check`',
    },
    { key: 'history/TIME-NODE-EVENT', holds: 'what happened; the newest 200', writtenBy: 'several handlers' },
  ],
  paths: { ...consulPaths, ...paths },
  filesAbout: [
    { path: paths.node, holds: 'what this machine knows of itself as a member; no secrets' },
    { path: consulPaths.config, holds: "settings of Consul's agent" },
    { path: consulPaths.bootstrap, holds: 'only during the very first start of the first machine' },
    { path: consulPaths.services, holds: 'services, checks and watches' },
    { path: paths.configured, holds: 'the build of understudy that has configured this machine' },
    {
      path: paths.upgradeFailed,
      holds: 'how often and why the machine could not be configured after an upgrade of the package',
    },
    { path: consulPaths.members, holds: 'a link to the next' },
    {
      path: consulPaths.memberList,
      holds: 'the addresses of the other members, which `check` keeps up to date',
    },
    { path: paths.questions, holds: 'what the last run of `check` has asked, if nothing was to do' },
    { path: paths.answers, holds: 'the answers that `quick-check` compares with' },
    { path: paths.recorded, holds: 'how far commits were confirmed when `quick-check` last recorded it' },
    { path: '/run/understudy/check/silent-UNIT.json', holds: 'since when a daemon has not answered' },
    { path: '/run/understudy/lock/', holds: 'locks of handlers: `lead-changed` and `virtual-ip-state`' },
  ],
  ports: [
    { port: '8301/tcp+udp, 18300 to 18499/tcp', what: 'Consul', from: "the members' network" },
    { port: '8500/tcp, 8600/tcp+udp', what: "Consul's HTTP and DNS", from: 'loopback only' },
  ],
  handlers: [
    {
      name: 'check',
      user: 'consul',
      calledBy: '`quick-check`, `understudy join`',
      does: 'compares, repairs, reports',
    },
    {
      name: 'quick-check',
      user: 'consul',
      calledBy: 'the check `understudy`, every 15 s',
      does: 'runs `check`, unless its last run found nothing to do and all questions of that run still have the same answers',
    },
    {
      name: 'lead-changed',
      user: 'consul',
      calledBy: 'watches (see below); `leader-released`',
      does: 'makes this machine follow the primary',
    },
    {
      name: 'upgrade',
      user: 'root',
      calledBy: 'understudy-upgrade.service, after an upgrade of the package',
      does: 'configures this member as the installed package wants it',
    },
    {
      name: 'service-tag',
      user: 'consul',
      calledBy: '`check`',
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
    ],
    units: [consulUnits.upgrade],
    scripts: ['quick-check.pl'],
    dropIns: [
      { unit: consulUnits.agent, file: 'restart.conf', as: 'understudy.conf' },
      { unit: consulUnits.agent, file: 'consul.conf', as: 'understudy-priority.conf' },
      // After drop-ins that a person may have made: with another type, Consul may never start.
      { unit: consulUnits.agent, file: 'consul-type.conf', as: 'zzz-understudy-type.conf' },
    ],
    tmpfiles: [
      'd /run/understudy 0755 root root',
      'd /run/understudy/lock 0770 consul understudy',
      'd /run/understudy/check 0755 consul consul',
      'd /var/lib/understudy 0755 root root',
      'd /var/lib/understudy/consul 0755 consul consul',
      // Consul does not start where a link in its configuration leads nowhere.
      'f /var/lib/understudy/consul/members.json 0644 consul consul - {}',
    ],
    polkit: [
      { user: 'consul', verb: 'kill', units: [consulUnits.agent] },
      { user: 'consul', verb: 'start', units: [consulUnits.upgrade] },
    ],
    users: ['addgroup --system --quiet understudy', 'adduser --quiet consul understudy'],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))
