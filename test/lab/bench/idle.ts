/** What a machine costs while nothing happens, and what of that is ours. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Lab } from '../lib/lab.ts'
import type { Suite } from '../lib/state.ts'
import { median } from './gap.ts'
import { Stage } from './stage.ts'

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
  /** The postmaster and the sessions that have ended: those of our checks, and what PostgreSQL itself ends. */
  readonly sessions: number
  /** The three above together. */
  readonly ours: number
  /** Consul's agent itself. */
  readonly consul: number
  /** The whole machine. */
  readonly machine: number
}

export interface IdleResult {
  readonly seconds: number
  readonly goal: number
  /** By machine, the medians. */
  readonly machines: Readonly<Record<string, Shares>>
  /** The median of what is ours, on the machine where it is most. */
  readonly ours: number
  readonly goalMet: boolean
}

const GOAL = 0.5
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

/** What was used between two samples. A unit that has ended has no group any more, but its time stays in the slice. */
export function sharesBetween(before: Sample, after: Sample): Shares {
  const share = (microseconds: number): number => (100 * microseconds) / (after.at - before.at)
  const used = (path: string): number => (after.groups[path] ?? 0) - (before.groups[path] ?? 0)
  const living = Object.keys(after.groups).filter((path) => path.endsWith('.service'))
  const checks = share(after.daemons.consul.ended - before.daemons.consul.ended)
  const units = share(used('system.slice') - living.reduce((sum, path) => sum + used(path), 0))
  const [was, is] = [before.daemons.postmaster, after.daemons.postmaster]
  const sessions = share(is.own + is.ended - was.own - was.ended)
  return {
    ...{ checks, units, sessions, ours: checks + units + sessions },
    consul: share(after.daemons.consul.own - before.daemons.consul.own),
    machine: share(used('.')),
  }
}

async function sample(lab: Lab, machine: string): Promise<Sample> {
  return parseSample((await lab.exec(machine, ['sh', '-c', SAMPLE])).stdout)
}

const medians = (shares: readonly Shares[]): Shares =>
  Object.fromEntries(
    Object.keys(shares[0] ?? {}).map((name) => [
      name,
      median(shares.map((one) => one[name as keyof Shares])) ?? 0,
    ]),
  ) as unknown as Shares

/** Watches a cluster that has nothing to do, `runs` times for a minute. */
export async function benchIdle({
  runs,
  suite,
  log,
}: {
  readonly runs: number
  readonly suite: Suite
  readonly log: (line: string) => void
}): Promise<IdleResult> {
  const stage = await Stage.build(suite, log)
  const { lab } = stage
  await stage.untilHealthy()
  await pause(SETTLE_S * 1000)
  const names = lab.machines.map(({ name }) => name)
  const all = (): Promise<Sample[]> => Promise.all(names.map((name) => sample(lab, name)))
  const found: Shares[][] = []
  for (let run = 0; run < runs; run++) {
    const before = await all()
    await pause(ROUND_S * 1000)
    const after = await all()
    const shares = names.map((_, index) => sharesBetween(before[index] as Sample, after[index] as Sample))
    log(`${run + 1}/${runs}: ours ${shares.map(({ ours }) => ours.toFixed(2)).join(', ')} %`)
    found.push(shares)
  }
  const machines = Object.fromEntries(
    names.map((name, index) => [name, medians(found.map((shares) => shares[index] as Shares))]),
  )
  const ours = Math.max(...Object.values(machines).map((shares) => shares.ours))
  return { seconds: ROUND_S, goal: GOAL, machines, ours, goalMet: ours <= GOAL }
}
