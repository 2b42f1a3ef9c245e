import fc from 'fast-check'
import type {
  CommitRule,
  DurabilityFacts,
  DurabilityPlan,
  decideDurability,
  ElectionRule,
} from '../../../../lib/postgresql/decide-durability.ts'

/** More steps than any way has: it goes round in circles. */
const TOO_MANY = 20

/** The facts after a step was carried out. */
export function after(facts: DurabilityFacts, plan: DurabilityPlan): DurabilityFacts {
  if (plan.do === 'commit') return { ...facts, commit: plan.commit, proven: true }
  return plan.do === 'elect' ? { ...facts, election: plan.election } : facts
}

export interface Stop {
  plan: DurabilityPlan
  /** The facts as they are when this plan was carried out. */
  facts: DurabilityFacts
}

/** Every step and what it leads to, until there is nothing left to do. */
export function walk(decide: typeof decideDurability, from: DurabilityFacts): Stop[] {
  const stops: Stop[] = []
  let facts = from
  for (;;) {
    const plan = decide(facts)
    facts = after(facts, plan)
    stops.push({ plan, facts })
    if (plan.do === 'nothing') return stops
    if (stops.length > TOO_MANY) throw new Error('it never ends')
  }
}

const STANDBYS = ['n2', 'n3', 'n4', 'n5']
const names = fc.subarray(STANDBYS)

/** Any rule at all, whether or not a primary ever comes to have it. */
export const anyCommit: fc.Arbitrary<CommitRule> = names.chain((standbys) =>
  (standbys.length === 0 ? fc.integer({ min: 0, max: 1 }) : fc.integer({ min: 1, max: standbys.length })).map(
    (count) => ({
      standbys,
      count,
    }),
  ),
)

export const anyElection: fc.Arbitrary<ElectionRule> = names.chain((voters) =>
  fc.integer({ min: 1, max: Math.max(1, voters.length) }).map((need) => ({ voters, need })),
)

/** What a primary with at least one other member may see. */
export const anySight: fc.Arbitrary<Pick<DurabilityFacts, 'members' | 'streaming' | 'level' | 'alone'>> = fc
  .record({
    others: fc.subarray(STANDBYS, { minLength: 1 }),
    streaming: names,
    level: names,
    patient: fc.boolean(),
  })
  .map(({ others, streaming, level, patient }) => ({
    members: ['n1', ...others],
    streaming,
    level: level.filter((name) => streaming.includes(name)),
    alone: streaming.length === 0 && !patient,
  }))

export const anyFacts: fc.Arbitrary<DurabilityFacts> = fc
  .record({
    mode: fc.constantFrom('quorum', 'strict', 'async'),
    commit: anyCommit,
    election: anyElection,
    sight: anySight,
    proven: fc.boolean(),
  })
  .map(({ sight, ...rest }) => ({ node: 'n1', ...rest, ...sight }))

/** All subsets with so many of the names. */
export function subsets(all: readonly string[], size: number): string[][] {
  const [first, ...rest] = all
  if (size === 0) return [[]]
  if (first === undefined) return []
  return [...subsets(rest, size - 1).map((some) => [first, ...some]), ...subsets(rest, size)]
}
