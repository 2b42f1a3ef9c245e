import type { Sync } from '../../../../lib/postgresql/manifest.ts'
import type { LocalDatabase } from '../../../../lib/postgresql/role.ts'

export const NODES = ['n1', 'n2', 'n3'] as const
export type Node = (typeof NODES)[number]

/** A session of Consul: of a running primary, or of one that starts. */
export type Session = `${Node} ${'leader' | 'start'}`

/** A step that was decided on and is not carried out yet: by then the facts may be old. */
export type Plan =
  | { do: 'promote' | 'start' }
  | { do: 'point'; upstream: Node }
  /** The document has been written again. `former` is the rule before, once commits are held. */
  | { do: 'commit'; rule: string; former: string | null }

/** A machine: its database, and where its handlers stand. Whatever makes no difference has one value. */
export interface Machine {
  readonly power: boolean
  /** `cut`: nothing gets in or out. `agentless`: Consul's agent is away, while the databases reach each other. */
  readonly net: 'linked' | 'cut' | 'agentless'
  readonly role: LocalDatabase['role']
  readonly standbySignal: boolean
  /** What is on disk, in the text that wal.ts reads. */
  readonly wal: string
  /** The mark of a promotion: the timeline that it left. */
  readonly promotedFrom: number | null
  /** It was published on its timeline: clients have come, and may stay when it is replaced. */
  readonly served: boolean
  /** Where replication points, or nowhere. */
  readonly upstream: Node | null
  /** The commit rule that the WAL sender of this standby has read; null while it does not stream. */
  readonly sender: string | null
  /** synchronous_standby_names of a primary, as it is set. */
  readonly rule: string
  /** The checkpointer of a primary has told the other processes that commits wait. */
  readonly waits: boolean
  /** A run of the upkeep has proven the rule. */
  readonly proven: boolean
  /** Stopped by a unit of ours: only rejoin or a boot starts it again. */
  readonly stopped: boolean
  readonly plan: Plan | null
}

export interface Consul {
  /** False while its servers find no leader. */
  readonly elected: boolean
  /** Who holds the lock. */
  readonly holder: Session | null
  /** Who took it last. */
  readonly last: Node
  readonly primary: { readonly node: Node; readonly timeline: number }
  /** It was published under the lock as it is. */
  readonly current: boolean
  readonly sync: Sync
}

/** What may still happen. */
export interface Bounds {
  readonly faults: number
  readonly promotions: number
  readonly writes: number
}

export interface State {
  readonly machines: Readonly<Record<Node, Machine>>
  readonly consul: Consul
  readonly left: Bounds
  /** The writes that were acknowledged to clients. */
  readonly acknowledged: string
}

/** One thing that happens. `why` is what the decision said. */
export interface Step {
  what: string
  why?: string
  state: State
}

export const change = (state: State, node: Node, machine: Partial<Machine>): State => ({
  ...state,
  machines: { ...state.machines, [node]: { ...state.machines[node], ...machine } },
})

export const others = (node: Node): Node[] => NODES.filter((one) => one !== node)

/** Can the one connect to the database of the other? */
export function reaches({ machines }: State, from: Node, to: Node): boolean {
  const [one, other] = [machines[from], machines[to]]
  return one.power && one.net !== 'cut' && other.power && other.net !== 'cut' && other.role !== 'down'
}

const hasAgent = ({ power, net }: Machine): boolean => power && net === 'linked'

/** A majority of the servers, one on each machine, has a leader. */
export const hasMajority = ({ machines, consul }: State): boolean =>
  consul.elected && NODES.filter((node) => hasAgent(machines[node])).length >= 2

export const asksConsul = (state: State, node: Node): boolean =>
  hasAgent(state.machines[node]) && hasMajority(state)

/** The database stops, by itself or by a unit of ours. */
export function stop(state: State, node: Node, machine: Partial<Machine> = {}): State {
  let next = change(state, node, {
    ...{ role: 'down', sender: null, waits: false, proven: false, plan: null },
    ...machine,
  })
  for (const one of others(node))
    if (next.machines[one].upstream === node) next = change(next, one, { sender: null })
  return next
}
