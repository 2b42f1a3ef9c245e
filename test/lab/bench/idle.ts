/** What a machine costs while nothing happens, and what of that is ours. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Lab } from '../lib/lab.ts'
import type { Suite } from '../lib/state.ts'
import { median } from './gap.ts'
import { PeerStage } from './peer.ts'
import { type Cluster, Stage } from './stage.ts'

/** Processor time so far, in microseconds by what used it, and when it was read. */
export interface Sample {
  /** Microseconds of the machine's clock. */
  readonly at: number
  /** Control groups by path below the root, which is ".". */
  readonly groups: Readonly<Record<string, number>>
  /** Of a daemon itself, and of its children that have ended. */
  readonly daemons: Readonly<
    Record<'consul' | 'postmaster', { readonly own: number; readonly ended: number }>
  >
}

/** Shares of one processor, in percent. */
export interface Shares {
  /** What Consul starts: checks, and what they start. */
  readonly checks: number
  /** Units that have ended: timers, and what the checks let systemd do. */
  readonly units: number
  /** The postmaster and the sessions that have ended, without repmgrd's: those of our checks, and what PostgreSQL itself ends. */
  readonly sessions: number
  /** What the sessions cost with which repmgrd asks whether a server is there. */
  readonly repmgrd: number
  /** What Consul starts, units that have ended, and sessions. */
  readonly ours: number
  /** Consul's agent itself. */
  readonly consul: number
  /** The whole machine. */
  readonly machine: number
}

export interface IdleResult {
  readonly seconds: number
  readonly goal: number
  readonly peerGoal: number
  /** By machine, the medians. */
  readonly machines: Machines
  /** The median of what is ours, on the machine where it is most. */
  readonly ours: number
  /** Patroni's machines, in the same minutes; null where they were not measured. */
  readonly peer: {
    readonly machines: Machines
    /** All our machines divided by all of Patroni's. */
    readonly ratio: number
  } | null
  readonly goalMet: boolean
}

/** By their names. */
export type Machines = Readonly<Record<string, Shares>>

const GOAL = 0.5
/** Our machines cost no more than Patroni's. */
const PEER_GOAL = 1
/** So that a machine's periodic work of several periods is in it. */
const ROUND_S = 60
/** A cluster that has just become healthy still has something to do. */
const SETTLE_S = 60

/** proc_pid_stat(5): utime, stime, cutime and cstime, in hundredths of a second. */
const SAMPLE = `cd /sys/fs/cgroup
for group in . init.scope system.slice system.slice/*.service system.slice/system-postgresql.slice/*.service; do
  [ -f $group/cpu.stat ] && read -r _ used < $group/cpu.stat && echo "group $group $used"
done
daemon() { set -- $1 $(sed 's/.*) //' /proc/$2/stat); echo "daemon $1 $(( (\${13} + \${14}) * 10000 )) $(( (\${15} + \${16}) * 10000 ))"; }
daemon consul $(systemctl show --property=MainPID --value consul)
daemon postmaster $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)
echo "at $(( $(date +%s%N) / 1000 ))"`

/** @throws where something is missing. */
export function parseSample(text: string): Sample {
  const rows = text.split('\n').map((line) => line.split(' '))
  const of = (kind: string): string[][] => rows.filter(([first]) => first === kind)
  const daemon = (name: string): { own: number; ended: number } => {
    const [, , own, ended] = of('daemon').find(([, found]) => found === name) ?? []
    if (own === undefined || ended === undefined) throw new Error(`there is no ${name}`)
    return { own: Number(own), ended: Number(ended) }
  }
  return {
    at: Number(of('at')[0]?.[1]),
    groups: Object.fromEntries(of('group').map(([, path = '', used]) => [path, Number(used)])),
    daemons: { consul: daemon('consul'), postmaster: daemon('postmaster') },
  }
}

/**
 * What was used between two samples. A unit that has ended has no group any more, but its time stays in the slice.
 * @param pings what repmgrd's sessions take, in microseconds a second.
 */
export function sharesBetween(before: Sample, after: Sample, pings: number): Shares {
  const share = (microseconds: number): number => (100 * microseconds) / (after.at - before.at)
  const used = (path: string): number => (after.groups[path] ?? 0) - (before.groups[path] ?? 0)
  const living = Object.keys(after.groups).filter((path) => path.endsWith('.service'))
  const checks = share(after.daemons.consul.ended - before.daemons.consul.ended)
  const units = share(used('system.slice') - living.reduce((sum, path) => sum + used(path), 0))
  const [was, is] = [before.daemons.postmaster, after.daemons.postmaster]
  const repmgrd = pings / 1e4
  const sessions = Math.max(0, share(is.own + is.ended - was.own - was.ended) - repmgrd)
  return {
    ...{ checks, units, sessions, repmgrd, ours: checks + units + sessions },
    consul: share(after.daemons.consul.own - before.daemons.consul.own),
    machine: share(used('.')),
  }
}

async function sample(lab: Lab, machine: string): Promise<Sample> {
  return parseSample((await lab.exec(machine, ['sh', '-c', SAMPLE])).stdout)
}

/** So many that a hundredth of a second does not count. */
const PINGS = 200
/** With repmgrd's own function, PQping(), and what it is given. $1: how many. */
const PING = `. /etc/repmgr.conf
for _ in $(seq "$1"); do $pg_bindir/pg_isready --quiet --dbname "$conninfo"; done
echo $monitor_interval_secs`

/** What PostgreSQL spends on repmgrd's pings, in microseconds a second, by machine: a primary is asked by all, a standby by its own. */
async function pingCosts(lab: Lab, primary: string): Promise<number[]> {
  const costs: number[] = []
  for (const { name } of lab.machines) {
    const before = (await sample(lab, name)).daemons.postmaster
    const { stdout } = await lab.exec(name, ['sh', '-euc', PING, 'ping', String(PINGS)])
    const after = (await sample(lab, name)).daemons.postmaster
    const each = (after.own + after.ended - before.own - before.ended) / PINGS
    costs.push((each * (name === primary ? lab.machines.length : 1)) / Number(stdout))
  }
  return costs
}

const medians = (shares: readonly Shares[]): Shares =>
  Object.fromEntries(
    Object.keys(shares[0] ?? {}).map((name) => [
      name,
      median(shares.map((one) => one[name as keyof Shares])) ?? 0,
    ]),
  ) as unknown as Shares

/** The machines of a cluster over time. */
class Watched {
  readonly #lab: Lab
  readonly #pings: () => Promise<readonly number[]>
  readonly #found: Shares[][] = []
  #costs: readonly number[] = []
  #before: readonly Sample[] = []

  /** @param pings measures what repmgrd's pings cost. */
  constructor(lab: Lab, pings: () => Promise<readonly number[]>) {
    this.#lab = lab
    this.#pings = pings
  }

  /** Before each minute: what a ping costs varies with what else the host does. */
  async prepare(): Promise<void> {
    this.#costs = await this.#pings()
  }

  async begin(): Promise<void> {
    this.#before = await this.#all()
  }

  /** What the machines used since it began. */
  async end(): Promise<readonly Shares[]> {
    const after = await this.#all()
    const shares = this.#before.map((before, index) =>
      sharesBetween(before, after[index] as Sample, this.#costs[index] ?? 0),
    )
    this.#found.push(shares)
    return shares
  }

  machines(): Machines {
    return Object.fromEntries(
      this.#lab.machines.map(({ name }, index) => [
        name,
        medians(this.#found.map((shares) => shares[index] as Shares)),
      ]),
    )
  }

  #all(): Promise<Sample[]> {
    return Promise.all(this.#lab.machines.map(({ name }) => sample(this.#lab, name)))
  }
}

const wholeOf = (machines: Machines): number =>
  Object.values(machines).reduce((sum, { machine }) => sum + machine, 0)

/** What the machines of each cluster use while nobody does anything: `runs` times for a minute, all in the same minutes. */
export async function watchAtRest(
  clusters: readonly Cluster[],
  runs: number,
  log: (line: string) => void,
): Promise<Machines[]> {
  const scenes = await Promise.all(clusters.map((cluster) => cluster.untilHealthy()))
  await pause(SETTLE_S * 1000)
  const watched = clusters.map(
    ({ lab, publishes }, index) =>
      new Watched(lab, async () => (publishes ? pingCosts(lab, scenes[index]?.primary ?? '') : [])),
  )
  for (let run = 0; run < runs; run++) {
    for (const one of watched) await one.prepare()
    await Promise.all(watched.map((one) => one.begin()))
    await pause(ROUND_S * 1000)
    const ended = await Promise.all(watched.map((one) => one.end()))
    const text = (shares: readonly Shares[] = [], name: 'ours' | 'machine'): string =>
      shares.map((one) => one[name].toFixed(2)).join(', ')
    const theirs = ended[1] ? `; machines of Patroni ${text(ended[1], 'machine')} %` : ''
    log(
      `${run + 1}/${runs}: ours ${text(ended[0], 'ours')} %, machines ${text(ended[0], 'machine')} %${theirs}`,
    )
  }
  return watched.map((one) => one.machines())
}

/** On the machine where it is most. */
export const most = (machines: Machines, name: keyof Shares): number =>
  Math.max(...Object.values(machines).map((shares) => shares[name]))

/**
 * Watches a cluster that has nothing to do, `runs` times for a minute, and one of Patroni in the same minutes.
 * @param options.writes a client of each writes all the time, and nothing else happens.
 */
export async function benchIdle({
  runs,
  suite,
  peer,
  writes,
  log,
}: {
  readonly runs: number
  readonly suite: Suite
  readonly peer: boolean
  readonly writes: boolean
  readonly log: (line: string) => void
}): Promise<IdleResult> {
  const clusters: Cluster[] = [await Stage.build(suite, log)]
  if (peer) clusters.push(await PeerStage.build(suite, log))
  const writers = writes ? await Promise.all(clusters.map((cluster) => cluster.write())) : []
  const [machines = {}, theirs] = await watchAtRest(clusters, runs, log).finally(() =>
    Promise.all(writers.map((writer) => writer.stop())),
  )
  const ours = most(machines, 'ours')
  const beside = theirs ? { machines: theirs, ratio: wholeOf(machines) / wholeOf(theirs) } : null
  const goalMet = ours <= GOAL && (beside === null || beside.ratio <= PEER_GOAL)
  return { seconds: ROUND_S, goal: GOAL, peerGoal: PEER_GOAL, machines, ours, peer: beside, goalMet }
}
