import type { CheckPlan } from './component.ts'
import type { Plan } from './reconciler.ts'

/** For everything that a reconciler may have to do: what is wrong until it is done, without the full stop. */
export type Wrongs<P extends Plan> = Readonly<Record<Exclude<P['do'], 'nothing'>, string>>

/** What the periodic check says of a plan whose handler repairs what is wrong. */
export function decideRepair<P extends Plan>({ do: what, why }: P, wrongs: Wrongs<P>): CheckPlan {
  if (what === 'nothing') return { do: what, why, problems: [] }
  const wrong = wrongs[what as Exclude<P['do'], 'nothing'>]
  return { do: what, why, problems: [`${wrong}, and is being repaired: ${why}`] }
}
