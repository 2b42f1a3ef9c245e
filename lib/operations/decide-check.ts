import type { CheckLine, CheckPlan } from '../core/component.ts'
import { explain } from '../core/errors.ts'
import type { Plan } from '../core/reconciler.ts'

/** A line of the check with the facts, or with the reason why it could not read them. */
export interface Looked<Context> {
  line: CheckLine<Context>
  seen: { facts: object } | { error: string }
}

/** A line of the check with its plan. */
interface Decided<Context> {
  line: CheckLine<Context>
  plan: CheckPlan
}

export interface MachinePlan<Context> extends Plan {
  lines: Decided<Context>[]
  /** Another look would decide the same as long as it sees the same: nothing is to do, and there is no problem. */
  settled: boolean
}

/** Every line decides for itself; one that could not read its facts is a problem of its own. */
export function decideCheck<Context>({
  looked,
}: {
  looked: readonly Looked<Context>[]
}): MachinePlan<Context> {
  const lines = looked.map(({ line, seen }): Decided<Context> => {
    if ('error' in seen) return { line, plan: failed(line.name, seen.error) }
    // A mistake in one line must not cost the others their check.
    try {
      return { line, plan: line.decide(seen.facts) }
    } catch (error) {
      return { line, plan: failed(line.name, explain(error)) }
    }
  })
  const problems = lines.flatMap(({ plan }) => plan.problems)
  const repairs = lines.some(({ plan }) => plan.do !== 'nothing')
  const settled = lines.every(
    ({ plan }) => plan.problems.length === 0 && (plan.settled ?? plan.do === 'nothing'),
  )
  const why = problems.join('; ') || 'no problem was found'
  return { do: repairs ? 'repair' : 'nothing', why, lines, settled }
}

function failed(name: string, error: string): CheckPlan {
  const why = `${name}: ${error}`
  return { do: 'nothing', why, problems: [why] }
}

/** After how long a check looks again: a repair takes some seconds, and what it has mended need not be reported. */
export const LOOK_AGAIN_MS = 3000

/** Does a check look again before it reports? Once, if there are problems and the first look was quick enough. */
export const looksAgain = ({
  problems,
  round,
  elapsedMs,
}: {
  problems: number
  round: number
  elapsedMs: number
}): boolean => problems > 0 && round === 1 && elapsedMs < LOOK_AGAIN_MS
