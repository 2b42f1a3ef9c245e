/** Faults of the network between the machines: clients in the network reach all of them all the time. */
import type { Fault } from './fault.ts'
import type { Stage } from './stage.ts'

/** The ports of Consul's servers among themselves: each cluster has one of its own for what they write. */
async function consulPorts({ lab }: Stage, machine: string): Promise<number[]> {
  const { stdout } = await lab.exec(machine, ['jq', '.ports.server', '/etc/consul.d/understudy.json'])
  return [Number(stdout), 8301]
}

interface Way {
  ports?: readonly number[]
  oneWay?: boolean
}

async function blockAll({ lab }: Stage, from: string, to: readonly string[], way: Way = {}) {
  for (const other of to) await lab.block({ between: [from, other], ...way })
  return () => lab.unblock()
}

export const networkFaults = {
  'cut-from-one': {
    what: '$ and one standby cannot reach each other',
    on: ['primary'],
    takes: 'the switch',
    inject: (stage, { machine, random }) => blockAll(stage, machine, [random.pick(stage.others(machine))]),
  },
  'cut-from-all': {
    what: '$ and the other machines cannot reach each other',
    on: ['primary', 'standby'],
    takes: 'the switch',
    inject: (stage, { machine }) => blockAll(stage, machine, stage.others(machine)),
  },
  'cut-consul': {
    what: 'only the Consul servers of $ and of the other machines cannot reach each other',
    on: ['primary', 'standby'],
    takes: 'the switch',
    async inject(stage, { machine }) {
      const ports = await consulPorts(stage, machine)
      return blockAll(stage, machine, stage.others(machine), { ports })
    },
  },
  'cut-standbys': {
    what: '$ and the other standby cannot reach each other',
    on: ['standby'],
    takes: 'the switch',
    inject: (stage, { machine, primary }) => blockAll(stage, machine, stage.others(machine, primary)),
  },
  deaf: {
    what: 'nothing that the other machines send reaches $',
    on: ['primary', 'standby'],
    takes: 'the switch',
    async inject(stage, { machine }) {
      for (const other of stage.others(machine)) await blockAll(stage, other, [machine], { oneWay: true })
      return () => stage.lab.unblock()
    },
  },
  mute: {
    what: 'nothing that $ sends reaches the other machines',
    on: ['primary', 'standby'],
    takes: 'the switch',
    inject: (stage, { machine }) => blockAll(stage, machine, stage.others(machine), { oneWay: true }),
  },
} as const satisfies Record<string, Fault>
