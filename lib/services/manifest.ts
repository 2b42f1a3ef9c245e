import * as v from 'valibot'
import definitions from '../../consul-config/services.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { run } from '../core/paths.ts'
import { count, name, time } from '../core/schema.ts'

/** Port of what runs the commands of checks, on loopback: beside that of the receiver of logs. */
export const CHECK_PORT = 19_534

const service = v.object({
  /** A unit of the operator, on every machine. */
  unit: v.pipe(v.string(), v.regex(/^[A-Za-z0-9:_.\\@-]{1,240}\.[a-z]+$/, 'not the name of a unit')),
  /** As it was given: a URL, tcp:PORT or a command; null: does the unit run? */
  check: v.nullable(v.pipe(v.string(), v.maxLength(1000))),
  /** `active`: only where the lock and the virtual IP are. */
  run: v.picklist(['everywhere', 'active']),
  /** Where it fails on the active machine, another one becomes active. */
  givesWay: v.boolean(),
  /** It runs under a lock of its own: never on two machines at a time, whatever happens to the address. */
  exclusive: v.exactOptional(v.literal(true)),
})
export type Service = v.InferOutput<typeof service>

const services = v.object({ schema: v.literal(1), services: v.record(name, service) })
export type ServicesDocument = v.InferOutput<typeof services>
/** The services of the cluster, by name. */
export type ServiceList = ServicesDocument['services']

const serviceNode = v.object({
  schema: v.literal(1),
  /** `here`: it is to run on this machine; `elsewhere`: only on the active one; `missing`: this machine has no such unit. */
  services: v.record(name, v.picklist(['here', 'elsewhere', 'missing'])),
})
export type ServiceNode = v.InferOutput<typeof serviceNode>

const serviceMoves = v.object({
  schema: v.literal(1),
  /** How often the active role has moved for a service. */
  count,
  movedAt: v.nullable(time),
  /** When a service that gives way was last seen failing. */
  failedAt: v.nullable(time),
  /** The machines that were left. */
  left: v.array(name),
})
export type ServiceMoves = v.InferOutput<typeof serviceMoves>

export const servicesKeys = {
  list: key('services', services),
  nodes: key('service-nodes/', serviceNode),
  node: (nodeName: string) => key(`service-nodes/${nodeName}`, serviceNode),
  moves: key('service-moves', serviceMoves),
} as const

const kept = '/var/lib/understudy/services'

export const servicesPaths = {
  /** The services that this machine has been set up for. Not there where the cluster has none. */
  applied: `${kept}/applied.json`,
  commands: `${kept}/check`,
  /** What the check of a service runs. */
  command: (serviceName: string): string => `${kept}/check/${serviceName}`,
  /** Lies there while this machine is the active one; without it, no service of the active machine starts. Gone at boot. */
  active: `${run}/services/active`,
  /** Lies there, with the time, while this machine hands the active role over. */
  handingOver: `${run}/services/handing-over.json`,
  /** Lets a unit start on the active machine only. */
  guard: (unit: string): string => `/etc/systemd/system/${unit}.d/understudy-active.conf`,
} as const

export const servicesUnits = {
  services: 'understudy-services.service',
  /** Runs an exclusive service under its lock. */
  locked: (serviceName: string): string => `understudy-locked@${serviceName}.service`,
  checks: 'understudy-service-check.socket',
} as const

/** Services of the operator: units that run on every machine, or on the active one. */
export const operatorServices: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'services',
  title: "the operator's services",
  keys: servicesKeys,
  keysAbout: [
    {
      key: 'services',
      holds: 'the services of the operator: unit, check, where it runs',
      writtenBy: '`understudy services`',
    },
    {
      key: 'service-nodes/NODE',
      holds: 'which of them run on that machine, and which it lacks',
      writtenBy: '`services`',
    },
    {
      key: 'service-moves',
      holds: 'how often, when and from which machines the active role has moved for a service',
      writtenBy: '`services`',
    },
  ],
  paths: servicesPaths,
  filesAbout: [
    { path: servicesPaths.applied, holds: 'the services that this machine has been set up for' },
    { path: `${kept}/check/NAME`, holds: 'what the check of a service runs' },
    { path: servicesPaths.active, holds: 'exists while services of the active machine run here' },
    { path: servicesPaths.handingOver, holds: 'since when this machine hands the active role over' },
    {
      path: servicesPaths.guard('UNIT'),
      holds: 'lets the unit of such a service start on the active machine only',
    },
  ],
  ports: [{ port: `${CHECK_PORT}/tcp`, what: 'commands of checks', from: 'loopback only' }],
  handlers: [
    {
      name: 'services',
      user: 'root',
      calledBy: 'understudy-services.service',
      does: "starts, stops and registers the operator's services",
    },
    {
      name: 'services-changed',
      user: 'consul',
      calledBy: 'the watch on `services`',
      does: 'starts the unit of `services`',
    },
    {
      name: 'service-check',
      user: 'understudy-checks',
      calledBy: 'understudy-service-check.socket, for a check in Consul',
      does: 'runs the command of a check',
    },
  ],
  daemons: [],
  package: {
    units: [
      servicesUnits.services,
      servicesUnits.checks,
      'understudy-service-check@.service',
      'understudy-locked@.service',
    ],
    scripts: ['services-changed.sh', 'service-check.sh'],
    tmpfiles: [
      `d ${run}/services 0755 root root`,
      `d ${kept} 0755 root root`,
      `d ${servicesPaths.commands} 0755 root root`,
    ],
    users: [
      // Who runs the commands of checks, and nothing else.
      'getent passwd understudy-checks >/dev/null || adduser --system --quiet --group --no-create-home --home /nonexistent understudy-checks',
    ],
    polkit: [
      { user: 'consul', verb: 'start', units: [servicesUnits.services] },
      { user: 'keepalived_script', verb: 'start', units: [servicesUnits.services] },
    ],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
}))
