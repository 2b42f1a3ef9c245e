import * as v from 'valibot'
import definitions from '../../consul-config/rabbitmq.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import type { OptionalPart } from '../consul/optional-part.ts'
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { etc } from '../core/paths.ts'
import { name } from '../core/schema.ts'

/** What the brokers of a cluster have in common. */
const cluster = v.object({
  schema: v.literal(1),
  /** Release series of RabbitMQ, the same everywhere, such as 4.0. */
  series: v.pipe(v.string(), v.regex(/^\d+\.\d+$/)),
  /** The machine whose broker the others join. */
  founder: name,
  /** Has it everything that the others are to take over? */
  founded: v.boolean(),
})
export type ClusterDocument = v.InferOutput<typeof cluster>

const brokerNode = v.object({
  schema: v.literal(1),
  /** `starting`: it may start without data. `joining`: the others may count on it. `joined`: its queues are to grow. */
  state: v.picklist(['starting', 'joining', 'joined', 'member', 'forgotten']),
  /** Made at each new beginning, and kept with the data: data of another one is lost data. */
  incarnation: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
})
export type NodeState = v.InferOutput<typeof brokerNode>['state']

const secrets = v.object({
  schema: v.literal(1),
  /** What the brokers know each other by. */
  cookie: v.string(),
  /** Of the application's user. */
  password: v.string(),
})
export type RabbitmqSecrets = v.InferOutput<typeof secrets>

export const rabbitmqKeys = {
  cluster: key('rabbitmq/cluster', cluster),
  secrets: key('rabbitmq/secrets', secrets),
  nodes: key('rabbitmq/nodes/', brokerNode),
  node: (nodeName: string) => key(`rabbitmq/nodes/${nodeName}`, brokerNode),
  running: key('rabbitmq/running', v.object({ schema: v.literal(1), nodes: v.array(name) })),
  lock: key('rabbitmq/lock', v.object({ schema: v.literal(1), node: name })),
} as const

const home = '/var/lib/rabbitmq'

export const rabbitmqPaths = {
  /** What this machine's RabbitMQ was last set up as. */
  configured: '/var/lib/understudy/rabbitmq',
  /** The password of the application's user. */
  password: `${etc}/rabbitmq.password`,
  programs: '/usr/lib/rabbitmq/bin',
  /** Has a directory that is named after the version. */
  versions: '/usr/lib/rabbitmq/lib',
  home,
  cookie: `${home}/.erlang.cookie`,
  data: (nodeName: string) => `${home}/mnesia/rabbit@${nodeName}`,
  /** In the data, so that it is lost with it. */
  mark: (nodeName: string) => `${home}/mnesia/rabbit@${nodeName}/understudy`,
  settings: '/etc/rabbitmq',
  config: '/etc/rabbitmq/rabbitmq.conf',
  environment: '/etc/rabbitmq/rabbitmq-env.conf',
  names: '/etc/rabbitmq/erl_inetrc',
  /** Addresses of the port mapper of Erlang. */
  portMapper: '/etc/systemd/system/epmd.socket.d/understudy.conf',
  /** Only while the broker is set up. */
  definitions: '/run/understudy-rabbitmq/definitions.json',
  /** How the last run of the handler ended. */
  report: '/run/understudy-rabbitmq/report.json',
} as const

export const rabbitmqUnits = {
  server: 'rabbitmq-server.service',
  portMapper: 'epmd.service',
  portMapperSocket: 'epmd.socket',
  member: 'understudy-rabbitmq.service',
  timer: 'understudy-rabbitmq.timer',
  quorum: 'understudy-rabbitmq-quorum.service',
  log: 'understudy-log-rabbitmq.service',
} as const

/** What the cluster asks for. */
export const rabbitmqPart: OptionalPart = { name: 'rabbitmq', title: 'RabbitMQ', holds: 'queues' }

/** Where the queues of the application are. */
export const VHOST = 'understudy'

/** The message broker, only in a cluster that asks for it. */
export const rabbitmq: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'rabbitmq',
  title: 'RabbitMQ',
  keys: rabbitmqKeys,
  keysAbout: [
    {
      key: 'rabbitmq/cluster',
      holds: 'release series, founder and whether the cluster of brokers is founded',
      writtenBy: '`rabbitmq`',
    },
    {
      key: 'rabbitmq/secrets',
      holds: "Erlang's cookie and the password of the application's user, in clear text",
      writtenBy: 'the first join with a broker',
    },
    { key: 'rabbitmq/nodes/NODE', holds: "how far a machine's broker is a member", writtenBy: '`rabbitmq`' },
    { key: 'rabbitmq/running', holds: 'whose brokers last ran together', writtenBy: '`rabbitmq`' },
    { key: 'rabbitmq/lock', holds: 'who changes the membership', writtenBy: '`rabbitmq`' },
  ],
  paths: rabbitmqPaths,
  filesAbout: [
    { path: rabbitmqPaths.configured, holds: "what this machine's RabbitMQ was last set up as" },
    {
      path: rabbitmqPaths.password,
      holds: "password of the application's user for a clustered broker; root only",
    },
    { path: rabbitmqPaths.config, holds: "a clustered broker's settings" },
    { path: rabbitmqPaths.environment, holds: "the same, which the broker's commands read as well" },
    { path: rabbitmqPaths.report, holds: 'how the last run of `rabbitmq` ended' },
    { path: rabbitmqPaths.names, holds: 'names and addresses of the clustered brokers' },
    { path: rabbitmqPaths.cookie, holds: 'what clustered brokers know each other by' },
    { path: rabbitmqPaths.portMapper, holds: "where Erlang's port mapper listens" },
  ],
  ports: [
    { port: '5672/tcp', what: 'RabbitMQ', from: "loopback only, if clustered; else Debian's default" },
    {
      port: '4369/tcp, 25672/tcp',
      what: 'brokers among each other',
      from: "the members' network, if clustered",
    },
  ],
  handlers: [
    {
      name: 'rabbitmq',
      user: 'rabbitmq',
      calledBy: 'understudy-rabbitmq.service (also by a timer, every 10 min)',
      does: "makes this machine's broker a member of the cluster of brokers",
    },
    {
      name: 'rabbitmq-gate',
      user: 'rabbitmq',
      calledBy: 'rabbitmq-server.service, before its start',
      does: 'lets no broker start without data while the others count on it',
    },
    {
      name: 'rabbitmq-changed',
      user: 'consul',
      calledBy: 'watches on `rabbitmq/nodes/` and the service `rabbitmq`, if clustered',
      does: 'starts understudy-rabbitmq.service',
    },
    {
      name: 'rabbitmq-quorum',
      user: 'rabbitmq',
      calledBy: 'understudy-rabbitmq-quorum.service, before the broker is stopped',
      does: 'waits until every queue has a majority without this broker',
    },
  ],
  wanted: ({ rabbitmq: mode }) => mode !== undefined,
  daemons: [rabbitmqUnits.server, rabbitmqUnits.log],
  package: {
    suggests: [
      { package: 'rabbitmq-server', minimum: '3.10', program: '/usr/lib/rabbitmq/bin/rabbitmq-server' },
    ],
    units: [rabbitmqUnits.member, rabbitmqUnits.timer, rabbitmqUnits.quorum, rabbitmqUnits.log],
    scripts: ['rabbitmq-changed.sh', 'rabbitmq-quorum.sh'],
    dropIns: [{ unit: rabbitmqUnits.server, file: 'rabbitmq-server.conf', as: 'understudy.conf' }],
    polkit: [
      { user: 'consul', verb: 'start', units: [rabbitmqUnits.member] },
      { user: 'rabbitmq', verb: 'start', units: [rabbitmqUnits.server] },
      { user: 'rabbitmq', verb: 'stop', units: [rabbitmqUnits.server] },
    ],
  },
  consul: (settings) => {
    const { services, watches } = definitionsOf(definitions, settings)
    return { services, watches: settings.rabbitmq === 'clustered' ? watches : [] }
  },
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))
