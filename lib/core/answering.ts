import type { CheckLine } from './component.ts'
import { type AnsweringFacts, type AnsweringPlan, decideAnswering } from './decide-answering.ts'
import { forgetFailure, readFailure, recordFailure } from './failure.ts'
import { paths } from './paths.ts'
import { killUnit } from './systemd.ts'

/**
 * A line of the check that ends a daemon which hangs; systemd starts it again.
 *
 * @param answers asks the daemon, with a deadline. One that does not run is not silent.
 */
export function answering<Context>(
  unit: string,
  answers: (context: Context) => Promise<boolean>,
): CheckLine<Context, AnsweringFacts, AnsweringPlan> {
  const record = paths.silent(unit)
  return {
    name: unit,
    observe: async (context) => ({
      unit,
      answers: await answers(context),
      silence: readFailure(record),
      nowMs: Date.now(),
    }),
    decide: decideAnswering,
    async apply(plan) {
      if (plan.do === 'remember') recordFailure(record, plan.why, Date.now())
      if (plan.do === 'forget' || plan.do === 'kill') forgetFailure(record)
      if (plan.do === 'kill') await killUnit(unit)
    },
  }
}
