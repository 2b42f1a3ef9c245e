import type { CheckLine } from '../core/component.ts'
import { decideRepair, type Wrongs } from '../core/decide-repair.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { paths } from '../core/paths.ts'
import type { Plan, Reconciler } from '../core/reconciler.ts'
import { runHandler } from '../core/run-handler.ts'
import type { Context } from './handler.ts'

/** How long a repair by a handler may take, with its wait for the lock: the check itself ends after 13 s. */
const REPAIR_MS = 10_000
/** How long a repair waits, in seconds, for a run of the same handler that an event has started. */
const LOCK_S = 5

/** A line of the check that runs a handler, under its lock, when its reconciler has something to do; `wrongs` says what is wrong then. */
export function repairedBy<Facts extends object, P extends Plan>(
  { name, observe, decide }: Reconciler<Context, Facts, P>,
  lock: string,
  wrongs: Wrongs<P>,
): CheckLine<Context, Facts> {
  return {
    name,
    observe,
    decide: (facts) => decideRepair(decide(facts), wrongs),
    async apply(plan) {
      if (plan.do === 'nothing') return
      const code = await runHandler(name, paths.lock(lock), { waitS: LOCK_S, timeoutMs: REPAIR_MS })
      if (code !== 0)
        throw new UnderstudyError(
          EXIT.failed,
          `the handler ended with exit code ${code}; see journalctl -t understudy`,
        )
    },
  }
}
