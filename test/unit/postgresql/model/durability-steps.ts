import fc from 'fast-check'
import { DurabilityCluster, type Rules, type Start } from './durability-cluster.ts'
import type { Member } from './durability-member.ts'

type Step = (cluster: DurabilityCluster, machine: Member, pick: number) => void

/** A whole run of the upkeep, undisturbed. */
function upkeep(
  cluster: DurabilityCluster,
  machine: Member,
  { late = false, stalls = false, lacks = (_node: string): boolean => false } = {},
): void {
  cluster.mark(machine)
  cluster.decide(machine, false, lacks)
  for (let part = 0; part < 3; part += 1) {
    if (!stalls) cluster.takeAllOver(machine)
    cluster.act(machine, late)
  }
}

function catchUp(cluster: DurabilityCluster, machine: Member): void {
  cluster.start(machine)
  cluster.rejoin(machine)
  cluster.link(machine)
  cluster.flush(machine, Number.POSITIVE_INFINITY)
}

/** The checkpointer, or the WAL sender of a standby. */
function takeOver(cluster: DurabilityCluster, machine: Member, pick: number): void {
  cluster.takeOver(machine, cluster.machines[(pick % 6) - 1] ?? 'checkpointer')
}

/** The primary's session ends and a machine runs its gate to the end. */
function failover(cluster: DurabilityCluster, machine: Member, pick: number): void {
  if (machine === cluster.published) return
  cluster.consul.expire()
  for (const one of cluster.machines) cluster.stand(one)
  cluster.elect(machine, sees(pick))
  cluster.publish(machine)
}

const isPicked = (pick: number, node: string): boolean => ((pick >> (Number(node.slice(1)) - 1)) & 1) === 1

/** Every machine but those of the picked bits; nobody is missing half of the time. */
const sees =
  (pick: number) =>
  (node: string): boolean =>
    pick >= 32 || !isPicked(pick, node)

/** A list of the members that lacks those of the picked bits. */
const stale =
  (pick: number) =>
  (node: string): boolean =>
    isPicked(pick, node)

/** What may happen next, anywhere and at any time, and how often it does. */
const steps: Readonly<Record<string, readonly [weight: number, step: Step]>> = {
  write: [5, (cluster, machine) => cluster.write(machine)],
  flush: [5, (cluster, machine, pick) => cluster.flush(machine, pick % 4)],
  catchUp: [5, catchUp],
  upkeep: [8, (cluster, machine) => upkeep(cluster, machine)],
  late: [2, (cluster, machine) => upkeep(cluster, machine, { late: true })],
  stale: [3, (cluster, machine, pick) => upkeep(cluster, machine, { lacks: stale(pick) })],
  settle: [3, ({ consul }, _machine, pick) => consul.settle(pick >> 1, pick % 4 !== 0)],
  mark: [2, (cluster, machine) => cluster.mark(machine)],
  decide: [3, (cluster, machine, pick) => cluster.decide(machine, pick % 4 === 0)],
  decideStale: [1, (cluster, machine, pick) => cluster.decide(machine, false, stale(pick))],
  act: [5, (cluster, machine, pick) => cluster.act(machine, pick % 4 === 0)],
  unlink: [
    4,
    (_cluster, machine) => {
      machine.linked = false
    },
  ],
  link: [2, (cluster, machine) => cluster.link(machine)],
  cut: [
    1,
    (_cluster, machine) => {
      machine.cut = !machine.cut
    },
  ],
  crash: [2, (cluster, machine) => cluster.crash(machine)],
  start: [2, (cluster, machine) => cluster.start(machine)],
  kill: [1, (cluster, machine) => cluster.kill(machine)],
  stalled: [3, (cluster, machine) => upkeep(cluster, machine, { stalls: true })],
  takeOver: [3, takeOver],
  takeAllOver: [2, (cluster, machine) => cluster.takeAllOver(machine)],
  expire: [1, ({ consul }) => consul.expire()],
  retake: [4, (cluster, machine) => cluster.retake(machine)],
  stand: [2, (cluster, machine) => cluster.stand(machine)],
  elect: [2, (cluster, machine, pick) => cluster.elect(machine, sees(pick))],
  publish: [2, (cluster, machine) => cluster.publish(machine)],
  failover: [3, failover],
  rejoin: [2, (cluster, machine) => cluster.rejoin(machine)],
  join: [2, (cluster, machine) => cluster.join(machine)],
  // A document that is deleted by mistake is no leave.
  lose: [1, ({ consul }, machine) => void consul.members.delete(machine.node)],
}

interface Turn {
  step: string
  /** The number of a machine, 0 for the published primary. */
  on: number
  pick: number
}

const turn: fc.Arbitrary<Turn> = fc.record({
  step: fc.oneof(
    ...Object.entries(steps).map(([name, [weight]]) => ({ weight, arbitrary: fc.constant(name) })),
  ),
  on: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
  pick: fc.nat(63),
})

export interface Run {
  start: Start
  turns: readonly Turn[]
}

export const run: fc.Arbitrary<Run> = fc.record({
  start: fc
    .record({
      size: fc.integer({ min: 2, max: 5 }),
      mode: fc.constantFrom('quorum', 'strict'),
      from: fc.constantFrom('promoted', 'alone', 'async'),
    })
    // With two members only `strict` lets a commit wait.
    .map((start): Start => (start.size === 2 ? { ...start, mode: 'strict' } : start)),
  turns: fc.array(turn, { minLength: 20, maxLength: 150, size: 'max' }),
})

/** Plays it all; every state on the way is checked. */
export function play({ start, turns }: Run, rules: Rules): DurabilityCluster {
  const cluster = new DurabilityCluster(start, rules)
  cluster.check()
  for (const { step, on, pick } of turns) {
    const machine = on === 0 ? cluster.published : cluster.machines[(on - 1) % start.size]
    const [, work] = steps[step] ?? []
    if (!machine || !work) throw new Error(`no such turn: ${step} on n${on}`)
    work(cluster, machine, pick)
    cluster.check()
  }
  return cluster
}

/** Faults have stopped: all come back, follow the published primary, and it does what is left to be done. */
export function settle(cluster: DurabilityCluster): void {
  const { published, consul } = cluster
  for (const machine of cluster.machines) {
    cluster.start(machine)
    machine.cut = false
  }
  consul.expire()
  cluster.retake(published)
  for (const machine of cluster.machines) cluster.rejoin(machine)
  for (let round = 0; round < 10; round += 1) {
    for (const machine of cluster.machines) catchUp(cluster, machine)
    upkeep(cluster, published)
    cluster.check()
  }
}
