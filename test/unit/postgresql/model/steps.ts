import fc from 'fast-check'
import { SILENT_PEER_MS } from '../../../../lib/postgresql/decide-failover.ts'
import type { Cluster } from './cluster.ts'
import type { Machine } from './machine.ts'

type Step = (cluster: Cluster, machine: Machine) => void

const toggle = (machine: Machine, fault: 'muted' | 'full' | 'isolated' | 'cut'): void => {
  machine[fault] = !machine[fault]
}
const NO_FAULT = { isolated: false, cut: false, muted: false, full: false, recovering: false } as const
const boot = (machine: Machine): void => {
  machine.powered = true
}
const heal = (machine: Machine): void => {
  Object.assign(machine, { powered: true, ...NO_FAULT })
}
const start: Step = (cluster, machine) => {
  cluster.lookBeforeStart(machine)
  cluster.start(machine)
}
const run: Step = (cluster, machine) => {
  cluster.look(machine)
  cluster.act(machine)
}
const repair: Step = (cluster, machine) => {
  cluster.lookAtReplication(machine)
  cluster.repairReplication(machine)
}
const catchUp: Step = (cluster, machine) => {
  cluster.link(machine)
  cluster.receive(machine, Number.POSITIVE_INFINITY)
}
const upkeep: Step = (cluster, machine) => {
  cluster.lookAfter(machine)
  cluster.keepUp(machine)
  cluster.keepUp(machine)
}

/** This one, or the next one where this is the published primary. */
const standby = ({ machines, published }: Cluster, machine: Machine): Machine =>
  machine === published ? (machines[machine.id % machines.length] ?? machine) : machine

/** The published primary falls silent, all others stop receiving, and a machine runs its gate for so many steps. */
function failover(cluster: Cluster, near: Machine, most = 5): void {
  const { published: old } = cluster
  const machine = standby(cluster, near)
  old.muted = true
  cluster.consul.expire(old.node, 'leader')
  for (const one of cluster.machines) if (one !== old) run(cluster, one)
  machine.waitedMs += SILENT_PEER_MS
  for (let step = 0; step < most; step += 1) run(cluster, machine)
}

/** The published primary does all that it has to do, and a standby, which is well again, follows it. */
function serve(cluster: Cluster, near: Machine): void {
  const { published } = cluster
  const machine = standby(cluster, near)
  heal(machine)
  for (const one of [published, machine]) {
    start(cluster, one)
    start(cluster, one)
    run(cluster, one)
    run(cluster, one)
    repair(cluster, one)
  }
  cluster.write(published)
  catchUp(cluster, machine)
  for (let step = 0; step < 3; step += 1) upkeep(cluster, published)
}

/** What may happen next, anywhere and at any time, and how often it does. */
const steps: Readonly<Record<string, readonly [weight: number, step: Step]>> = {
  look: [3, (cluster, machine) => cluster.look(machine)],
  act: [3, (cluster, machine) => cluster.act(machine)],
  run: [8, run],
  failover: [3, (cluster, machine) => failover(cluster, machine)],
  // It takes the lock, is promoted, and dies or is frozen before it is published.
  promotion: [1, (cluster, machine) => failover(cluster, machine, 2)],
  serve: [10, serve],
  patience: [
    2,
    (_cluster, machine) => {
      machine.waitedMs += SILENT_PEER_MS
    },
  ],
  expire: [3, (cluster, machine) => cluster.consul.expire(machine.node, 'leader')],
  expireStart: [1, (cluster, machine) => cluster.consul.expire(machine.node, 'start')],
  mute: [2, (_cluster, machine) => toggle(machine, 'muted')],
  full: [2, (_cluster, machine) => toggle(machine, 'full')],
  recover: [1, (cluster, machine) => cluster.recover(machine)],
  recovered: [
    2,
    (_cluster, machine) => {
      machine.recovering = false
    },
  ],
  isolate: [1, (_cluster, machine) => toggle(machine, 'isolated')],
  cut: [1, (_cluster, machine) => toggle(machine, 'cut')],
  stop: [1, (cluster, machine) => cluster.crash(machine, true)],
  powerCut: [1, (cluster, machine) => cluster.crash(machine, false)],
  boot: [2, (_cluster, machine) => boot(machine)],
  lookBeforeStart: [2, (cluster, machine) => cluster.lookBeforeStart(machine)],
  start: [2, (cluster, machine) => cluster.start(machine)],
  lookAtReplication: [2, (cluster, machine) => cluster.lookAtReplication(machine)],
  repairReplication: [2, (cluster, machine) => cluster.repairReplication(machine)],
  repair: [3, repair],
  fence: [2, (cluster, machine) => cluster.fence(machine)],
  write: [3, (cluster, machine) => cluster.write(machine)],
  unlink: [
    1,
    (_cluster, machine) => {
      machine.linked = false
    },
  ],
  link: [2, (cluster, machine) => cluster.link(machine)],
  receive: [3, (cluster, machine) => cluster.receive(machine, 1)],
  catchUp: [3, catchUp],
  lookAfter: [2, (cluster, machine) => cluster.lookAfter(machine)],
  keepUp: [2, (cluster, machine) => cluster.keepUp(machine)],
  upkeep: [3, upkeep],
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
  const { machines, published } = cluster
  const machine = on === 0 ? published : machines[(on - 1) % machines.length]
  const [, work] = steps[step] ?? []
  if (!machine || !work) throw new Error(`no such turn: ${step} on n${on}`)
  work(cluster, machine)
  cluster.ledger.check()
}

/** Faults have stopped: every machine that is up is repaired by its units, round after round, until nothing changes. */
export function settle(cluster: Cluster, gone: readonly Machine[], rounds = 30): void {
  for (const machine of cluster.machines) {
    if (gone.includes(machine)) cluster.crash(machine, false)
    else Object.assign(machine, { powered: true, ...NO_FAULT })
    // A session for a start ends on its own.
    cluster.consul.expire(machine.node, 'start')
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const machine of cluster.machines) {
      // A session dies with its machine or its database.
      if (machine.role === 'down') cluster.consul.expire(machine.node, 'leader')
      cluster.lookBeforeStart(machine)
      cluster.start(machine)
      run(cluster, machine)
      repair(cluster, machine)
      catchUp(cluster, machine)
      upkeep(cluster, machine)
      cluster.fence(machine)
      cluster.ledger.check()
    }
  }
}
