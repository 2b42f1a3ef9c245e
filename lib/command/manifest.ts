import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { run } from '../core/paths.ts'

export const commandPaths = {
  /** The last call that succeeded. Not there while a call runs, and after a boot. */
  done: `${run}/command/done.json`,
  /** How often and why it has failed. */
  failed: `${run}/command/failed.json`,
} as const

export const commandUnits = { call: 'understudy-command.service' } as const

/** A program of the operator that is called when the primary changes, to move an address that VRRP cannot move. */
export const command: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'command',
  title: 'virtual IP command',
  keys: {},
  keysAbout: [],
  paths: commandPaths,
  filesAbout: [
    { path: commandPaths.done, holds: 'the last call of the virtual IP command that succeeded' },
    { path: commandPaths.failed, holds: 'how often, since when and why the virtual IP command has failed' },
  ],
  ports: [],
  handlers: [
    {
      name: 'virtual-ip-command',
      user: 'keepalived_script',
      calledBy: 'understudy-command.service',
      does: "calls the operator's virtual IP command",
    },
  ],
  wanted: ({ virtualIpCommand }) => virtualIpCommand !== undefined,
  daemons: [],
  package: {
    units: [commandUnits.call],
    tmpfiles: ['d /run/understudy/command 0755 keepalived_script understudy'],
    polkit: [{ user: 'consul', verb: 'start', units: [commandUnits.call] }],
  },
  consul: () => ({ services: [], watches: [] }),
  check: () => import('./check.ts'),
  join: () => import('./join.ts'),
}))
