import * as v from 'valibot'
import definitions from '../../consul-config/virtual-ip.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { run } from '../core/paths.ts'

import { count, name, time } from '../core/schema.ts'

const keepalivedNode = v.object({
  schema: v.literal(1),
  priority: count,
  state: v.picklist(['MASTER', 'BACKUP', 'FAULT', 'STOP']),
  since: time,
})
export type KeepalivedNode = v.InferOutput<typeof keepalivedNode>

const keepalivedPeers = v.object({
  schema: v.literal(1),
  /** The members to which this machine's keepalived sends its adverts. */
  peers: v.array(name),
})

export const virtualIpKeys = {
  nodes: key('keepalived/nodes/', keepalivedNode),
  node: (nodeName: string) => key(`keepalived/nodes/${nodeName}`, keepalivedNode),
  peers: (nodeName: string) => key(`keepalived/peers/${nodeName}`, keepalivedPeers),
} as const

export const virtualIpPaths = {
  /** keepalived's track_file; gone at boot on purpose. */
  weight: `${run}/keepalived/weight`,
  config: '/etc/keepalived/keepalived.conf',
  /** Lies there while this machine is to leave the address to others, because a service has failed. Written by `services`. */
  yields: `${run}/services/yields`,
} as const

export const virtualIpUnits = {
  keepalived: 'keepalived.service',
  peers: 'understudy-peers.service',
} as const

/** keepalived, which holds the virtual IP on one machine. */
export const virtualIp: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'virtual-ip',
  title: 'keepalived',
  keys: virtualIpKeys,
  keysAbout: [
    {
      key: 'keepalived/nodes/NODE',
      holds: 'VRRP priority, state, since when',
      writtenBy: 'join, `virtual-ip-state`',
    },
    {
      key: 'keepalived/peers/NODE',
      holds: 'the members that its keepalived sends adverts to',
      writtenBy: 'join, `virtual-ip-peers`',
    },
  ],
  paths: virtualIpPaths,
  filesAbout: [
    { path: virtualIpPaths.config, holds: 'settings of keepalived' },
    { path: virtualIpPaths.weight, holds: "this machine's weight in the election of the virtual IP" },
    {
      path: virtualIpPaths.yields,
      holds: 'exists where a service has failed, and the address is to go elsewhere',
    },
  ],
  ports: [{ port: 'IP protocol 112', what: 'VRRP version 3, unicast', from: 'the members' }],
  handlers: [
    {
      name: 'virtual-ip-state',
      user: 'keepalived_script, consul',
      calledBy: "keepalived's `notify`; `check`",
      does: 'publishes whether it holds the address',
    },
    {
      name: 'virtual-ip-peers',
      user: 'root',
      calledBy: 'understudy-peers.service',
      does: 'tells keepalived who the other members are',
    },
    {
      name: 'virtual-ip-weight',
      user: 'consul',
      calledBy: '`check`; understudy-withdraw.service',
      does: "sets this machine's claim to the address",
    },
  ],
  wanted: ({ virtualIp }) => virtualIp !== null,
  daemons: [virtualIpUnits.keepalived],
  package: {
    recommends: [
      { package: 'keepalived', program: '/usr/sbin/keepalived' },
      { package: 'iputils-arping', program: '/usr/bin/arping' },
    ],
    units: [virtualIpUnits.peers],
    dropIns: [{ unit: virtualIpUnits.keepalived, file: 'restart.conf', as: 'understudy.conf' }],
    tmpfiles: [
      // Shared by two users, of whom keepalived gives its own a strict umask.
      'f /run/understudy/lock/virtual-ip-state 0640 consul understudy',
      'd /run/understudy/keepalived 0755 consul consul',
      'f /run/understudy/keepalived/weight 0644 consul consul - -254',
    ],
    polkit: [
      { user: 'consul', verb: 'kill', units: [virtualIpUnits.keepalived] },
      { user: 'consul', verb: 'start', units: [virtualIpUnits.peers] },
    ],
    users: [
      // Who keepalived runs its notify script as.
      'getent passwd keepalived_script >/dev/null || adduser --system --quiet --no-create-home --home /nonexistent --ingroup understudy keepalived_script',
      'adduser --quiet keepalived_script understudy',
    ],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))
