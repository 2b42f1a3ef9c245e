import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** What a running broker knows of the others. */
export interface BrokerView {
  /** Members whose brokers it sees run, itself included. */
  running: readonly string[]
  /** Members that it is partitioned from: both sides went on without the other. */
  partitionedFrom: readonly string[]
}

export interface RepairFacts {
  node: string
  /** Release series of the broker that is installed here, such as 4.0. */
  series: string
  /** systemd's word for the state of the broker's unit. */
  unit: string
  /** How long the broker has been starting; null where it is not. */
  startingMs: number | null
  /** All brokers that are members. */
  members: readonly string[]
  /** null: the broker does not run. */
  view: BrokerView | null | Unknown
  /** Members that last ran together, as one of them has written down; null: nobody has yet. */
  recorded: readonly string[] | null | Unknown
  /** Members whose machine is alive, as Consul says. */
  alive: ReadonlySet<string> | Unknown
}

export type BrokerRepair =
  | { do: 'nothing' | 'wait' | 'later' | 'restart-app' | 'force-boot'; why: string }
  /** Writes down who runs together; `close`: after it has closed the connections of all clients. */
  | { do: 'record'; running: readonly string[]; close: boolean; why: string }

/** A broker that waits for others that are alive as well has them by then; its own wait for the tables is ten times 30 s. */
export const STUCK_MS = 60_000

/** Does the metadata of this series survive with a majority? That of RabbitMQ 3, in Mnesia, waits for who ran last. */
const hasKhepri = (series: string): boolean => Number.parseInt(series, 10) >= 4

/** What this broker, which is a member and has its data, needs to be of use again. The first line that fits is the plan. */
export function decideRepair(facts: RepairFacts): BrokerRepair {
  if (facts.unit === 'activating') return decideBoot(facts)
  const { node, series, members, view, recorded, alive } = facts
  if (view === null) return { do: 'nothing', why: 'the broker does not run' }
  if (view === UNKNOWN || recorded === UNKNOWN)
    return { do: 'wait', why: 'the broker does not say what it sees' }
  if (view.partitionedFrom.length > 0) return decidePartition(facts, view)

  const seen = members.filter((name) => view.running.includes(name)).sort()
  if (!seen.includes(node) || seen.length * 2 <= members.length)
    return { do: 'wait', why: `the broker sees only ${seen.join(', ') || 'nobody'}` }
  // Who is back says so itself, for that is how it knows that it was away.
  const told = seen.filter((name) => name === node || recorded === null || recorded.includes(name))
  const gone = told.filter((name) => name !== node && alive !== UNKNOWN && !alive.has(name))
  // The brokers may lose each other's messages before they notice it, or without noticing it, where a cut is short.
  const running = hasKhepri(series) ? told.filter((name) => !gone.includes(name)) : told
  if (recorded !== null && sameList(running, recorded))
    return { do: 'nothing', why: 'the brokers run as they did before' }
  if (running.length < told.length ? running.length * 2 <= members.length : gone.length > 0)
    return {
      do: 'wait',
      why: `the broker has not noticed yet that ${gone.join(', ')} ${gone.length === 1 ? 'is' : 'are'} away`,
    }
  // What its clients sent while it was cut off is not confirmed, not even now: they have to send it again.
  const close = hasKhepri(series) && recorded !== null && !recorded.includes(node)
  return {
    do: 'record',
    running,
    close,
    why: close ? 'the broker is back from a minority' : `now ${running.join(', ')} run`,
  }
}

/** Of two sides that have gone on without each other the smaller one begins again; of two equal ones that without the first. */
function decidePartition({ node, members }: RepairFacts, { partitionedFrom }: BrokerView): BrokerRepair {
  const others = members.filter((name) => partitionedFrom.includes(name))
  const ours = members.filter((name) => !partitionedFrom.includes(name))
  const yields =
    ours.length < others.length ||
    (ours.length === others.length && [...members].sort()[0] !== [...ours].sort()[0])
  const why = `${node} and ${others.join(', ')} have gone on without each other`
  return yields ? { do: 'restart-app', why } : { do: 'later', why: `${why}; the other side begins again` }
}

/** A broker of RabbitMQ 3 starts only with all that ran last. Where one of them is dead, one of the others goes ahead. */
function decideBoot({ node, series, startingMs, members, recorded, alive }: RepairFacts): BrokerRepair {
  const starting = { do: 'later', why: 'the broker is starting' } as const
  if (hasKhepri(series) || startingMs === null || startingMs < STUCK_MS) return starting
  if (recorded === UNKNOWN || alive === UNKNOWN || recorded === null) return starting
  const last = recorded.filter((name) => members.includes(name)).sort()
  const dead = last.filter((name) => !alive.has(name))
  if (dead.length === 0) return starting
  // One alone may have missed what the others have done since.
  const first = last.find((name) => alive.has(name))
  if (first !== node)
    return { do: 'later', why: `the broker waits for ${dead.join(', ')}; ${first ?? 'nobody'} goes ahead` }
  return { do: 'force-boot', why: `the broker waits for ${dead.join(', ')}, which is dead` }
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().join() === [...b].sort().join()
