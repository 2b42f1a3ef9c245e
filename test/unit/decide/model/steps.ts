import fc from 'fast-check'
import type { Cluster } from './cluster.ts'
import type { Machine } from './machine.ts'

type Step = (cluster: Cluster, machine: Machine) => void

const toggle = (machine: Machine, fault: 'muted' | 'isolated'): void => {
  machine[fault] = !machine[fault]
}
const boot = (machine: Machine): void => {
  machine.powered = true
}

/** The published primary falls silent and a machine runs its gate to the end. */
function failover(cluster: Cluster, machine: Machine): void {
  const { primary } = cluster.consul.leadership
  const old = cluster.machines.find(({ node }) => node === primary?.node)
  if (!old) return
  old.muted = true
  cluster.consul.expire(old.node, 'leader')
  for (let step = 0; step < 4; step += 1) {
    cluster.look(machine)
    cluster.act(machine)
  }
}

/** What may happen next, anywhere and at any time, and how often it does. */
const steps: Readonly<Record<string, readonly [weight: number, step: Step]>> = {
  look: [3, (cluster, machine) => cluster.look(machine)],
  act: [3, (cluster, machine) => cluster.act(machine)],
  run: [
    8,
    (cluster, machine) => {
      cluster.look(machine)
      cluster.act(machine)
    },
  ],
  failover: [1, (cluster, machine) => failover(cluster, machine)],
  expire: [3, (cluster, machine) => cluster.consul.expire(machine.node, 'leader')],
  expireStart: [1, (cluster, machine) => cluster.consul.expire(machine.node, 'start')],
  mute: [2, (_cluster, machine) => toggle(machine, 'muted')],
  isolate: [1, (_cluster, machine) => toggle(machine, 'isolated')],
  stop: [1, (cluster, machine) => cluster.crash(machine, true)],
  powerCut: [1, (cluster, machine) => cluster.crash(machine, false)],
  boot: [2, (_cluster, machine) => boot(machine)],
  lookBeforeStart: [2, (cluster, machine) => cluster.lookBeforeStart(machine)],
  start: [2, (cluster, machine) => cluster.start(machine)],
  rejoin: [2, (cluster, machine) => cluster.rejoin(machine)],
  write: [1, (cluster) => cluster.write()],
}

export interface Turn {
  step: string
  /** The number of a machine, 0 for the published primary. */
  on: number
}

export const turn: fc.Arbitrary<Turn> = fc.record({
  step: fc.oneof(
    ...Object.entries(steps).map(([name, [weight]]) => ({ weight, arbitrary: fc.constant(name) })),
  ),
  on: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
})

/** Carries out one turn; machines that this cluster does not have are counted around. */
export function take(cluster: Cluster, { step, on }: Turn): void {
  const { primary } = cluster.consul.leadership
  const { machines } = cluster
  const machine =
    on === 0 ? machines.find(({ node }) => node === primary?.node) : machines[(on - 1) % machines.length]
  const [, work] = steps[step] ?? []
  if (!machine || !work) throw new Error(`no such turn: ${step} on n${on}`)
  work(cluster, machine)
}

/** Faults have stopped: every machine that is up is repaired by its units, round after round, until nothing changes. */
export function settle(cluster: Cluster, gone: readonly Machine[], rounds = 30): void {
  for (const machine of cluster.machines) {
    if (gone.includes(machine)) cluster.crash(machine, false)
    else Object.assign(machine, { powered: true, isolated: false, muted: false })
    // A session dies with its machine or its database; one for a start ends on its own.
    if (machine.role === 'down') cluster.consul.expire(machine.node, 'leader')
    cluster.consul.expire(machine.node, 'start')
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const machine of cluster.machines) {
      cluster.lookBeforeStart(machine)
      cluster.start(machine)
      cluster.look(machine)
      cluster.act(machine)
      cluster.rejoin(machine)
    }
  }
}
