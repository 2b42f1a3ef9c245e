/** A component that nobody needs: everything that goes through the manifests has to pick it up. */
import * as v from 'valibot'
import type { Context } from '../../../lib/consul/handler.ts'
import type { CheckLine, Component } from '../../../lib/core/component.ts'
import { key } from '../../../lib/core/key.ts'

const document = v.object({ schema: v.literal(1), colour: v.string() })

/** What its line of the check finds, and whether it was repaired. */
export const lamp = { colour: 'red', repaired: 0 }

const line: CheckLine<Context, { colour: string }> = {
  name: 'lamp',
  observe: async () => ({ colour: lamp.colour }),
  decide: ({ colour }) =>
    colour === 'green'
      ? { do: 'nothing', why: 'the lamp is green', problems: [] }
      : { do: 'repair', why: `the lamp is ${colour}`, problems: [`the lamp is ${colour}`] },
  async apply(plan) {
    if (plan.do === 'repair') lamp.repaired += 1
  },
}

export const madeUp: Component<Context> = {
  name: 'lamp',
  title: 'Lamp',
  keys: { lamp: key('lamp/colour', document) },
  keysAbout: [{ key: 'lamp/colour', holds: 'the colour of the lamp', writtenBy: 'the lamp' }],
  paths: { colour: '/run/understudy/lamp/colour' },
  filesAbout: [{ path: '/run/understudy/lamp/colour', holds: 'the colour that was last seen' }],
  ports: [{ port: '9999/tcp', what: 'Lamp', from: "the members' network" }],
  handlers: [{ name: 'lamp', user: 'consul', calledBy: 'watch on `lamp/`', does: 'changes the bulb' }],
  daemons: ['lamp.service'],
  package: {
    depends: [{ package: 'lamp', minimum: '2.0', program: '/usr/bin/lamp' }],
    units: ['understudy-lamp.service'],
    dropIns: [{ unit: 'lamp.service', file: 'restart.conf', as: 'understudy.conf' }],
    scripts: ['lamp-changed.sh'],
    tmpfiles: ['d /run/understudy/lamp 0755 consul consul'],
    users: ['addgroup --system --quiet lamp'],
    polkit: [{ user: 'consul', verb: 'start', units: ['understudy-lamp.service'] }],
  },
  consul: ({ kvPrefix }) => ({
    services: [{ id: 'lamp', name: 'lamp', port: 9999, checks: [{ id: 'lamp', name: 'The lamp is on' }] }],
    watches: [{ type: 'keyprefix', prefix: `${kvPrefix}lamp/` }],
  }),
  check: async () => ({ lines: [line] }),
}
