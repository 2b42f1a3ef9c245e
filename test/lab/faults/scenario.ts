import type { Suite } from '../lib/state.ts'
import type { FaultName } from './catalogue.ts'
import { type ClusterKind, USUAL } from './cluster-kind.ts'
import type { Role } from './fault.ts'

/** A fault on whoever has a role at that moment. */
export interface Step {
  readonly fault: FaultName
  readonly on: Role
  /** After the fault before it. */
  readonly afterMs?: number
}

export interface Scenario {
  readonly name: string
  /** Each goes on until all of them are healed. */
  readonly steps: readonly Step[]
  /** How long they last then; or until another primary acknowledges rows, and at most so long. */
  readonly lasts: { readonly ms: number } | { readonly untilPromotedMs: number }
  /** Who is the primary afterwards, compared with before. */
  readonly primary: 'same' | 'another' | 'either'
  /** How long the client in the network may be without an acknowledgement; not given where it may be cut off itself. */
  readonly longestGapMs?: number
  /** How long two databases may acknowledge side by side: not at all where not given. */
  readonly overlapMs?: number
  /** {@link USUAL} where not given. */
  readonly cluster?: ClusterKind
  /** The releases of Debian on which `npm test` plays it; all other runs of it are long fault runs. */
  readonly inTests?: readonly Suite[]
}

/** The scenarios by what they are played on: the usual cluster first, each kind once. */
export function byCluster(scenarios: readonly Scenario[]): [ClusterKind, Scenario[]][] {
  const groups = new Map<string, [ClusterKind, Scenario[]]>()
  for (const scenario of scenarios) {
    const { machines, durability } = scenario.cluster ?? USUAL
    const key = `${machines} ${durability}`
    const group = groups.get(key) ?? [{ machines, durability }, []]
    group[1].push(scenario)
    groups.set(key, group)
  }
  return [...groups.values()]
}
