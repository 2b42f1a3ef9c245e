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
  for (const part of joining.parts) await part.look?.(joining)
  return joining
}

/** Phase by phase, and within a phase in the order of the components. */
const inPhases = (steps: readonly JoinStep<Joining>[]): JoinStep<Joining>[] =>
  joinPhases.flatMap((phase) => steps.filter((step) => step.phase === phase))

/** The steps of a join. */
export const joinSteps = (parts: readonly Part[], as: JoinOptions['as']): JoinStep<Joining>[] =>
  inPhases(parts.flatMap(({ steps }) => steps)).filter(({ only }) => only === undefined || only === as)

/** The steps on a member after an upgrade of the package. */
export const upgradeSteps = (parts: readonly Part[]): JoinStep<Joining>[] =>
  inPhases(parts.flatMap(({ upgrade }) => upgrade))
