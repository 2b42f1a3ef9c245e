import type { Joining, JoinOptions, Part } from '../consul/joining.ts'
import { type Component, type JoinStep, joinPhases } from '../core/component.ts'

/** What the components do in a join, in their order. */
export async function joinParts(
  components: readonly Pick<Component<never, Joining>, 'join'>[],
): Promise<Part[]> {
  const parts = await Promise.all(components.map(async ({ join }) => (await join?.())?.part))
  return parts.filter((part) => part !== undefined)
}

/** Lets every component look before anything is changed. @throws what the first that refuses says. */
export async function lookAround(joining: Joining): Promise<Joining> {
  const asked = Promise.all(joining.parts.map((part) => part.ask?.(joining)))
  // A look that refuses comes first, also where nobody waits for the answers any more.
  asked.catch(() => {})
  for (const part of joining.parts) await part.look?.(joining)
  await asked
  return joining
}

/** Phase by phase, and within a phase in the order of the components. */
const inPhases = (steps: readonly JoinStep<Joining>[]): JoinStep<Joining>[] =>
  joinPhases.flatMap((phase) => steps.filter((step) => step.phase === phase))

/** The steps of a join. */
export const joinSteps = (parts: readonly Part[], as: JoinOptions['as']): JoinStep<Joining>[] =>
  inPhases(parts.flatMap(({ steps }) => steps)).filter(({ only }) => only === undefined || only === as)

/**
 * The same in groups, which run one after the other. Those that set up the daemons do not need each other: they run side by side.
 */
export const joinGroups = (parts: readonly Part[], as: JoinOptions['as']): JoinStep<Joining>[][] =>
  joinSteps(parts, as).reduce<JoinStep<Joining>[][]>((groups, step) => {
    const last = groups.at(-1)
    if (last?.[0]?.phase === 'daemons' && step.phase === 'daemons') last.push(step)
    else groups.push([step])
    return groups
  }, [])

/** The steps on a member after an upgrade of the package. */
export const upgradeSteps = (parts: readonly Part[]): JoinStep<Joining>[] =>
  inPhases(parts.flatMap(({ upgrade }) => upgrade))
