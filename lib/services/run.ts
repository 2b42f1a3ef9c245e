import type { Context } from '../consul/handler.ts'
import { EXIT } from '../core/errors.ts'
import type { Next, Step } from '../core/reconciler.ts'
import { applyServices } from './apply.ts'
import { decideServices, type ServicesFacts, type ServicesPlan } from './decide.ts'
import { observeServices } from './observe.ts'

/** Between two looks while something is waited for. */
const LOOK_AGAIN_MS = 200
/** Looks after something was done: systemd does not start a second run for an event that comes during this one. */
const ROUNDS = 3

/** One run in which this machine's services become what they are to be. */
export function servicesRun() {
  let rounds = 0

  async function apply(plan: ServicesPlan, context: Context): Promise<void> {
    if (plan.do === 'apply') rounds += 1
    await applyServices(plan, context)
  }

  function next({ plan }: Step<ServicesFacts, ServicesPlan>): Next {
    const again = plan.do === 'wait' || (plan.do === 'apply' && rounds < ROUNDS)
    return again ? { lookAgainMs: LOOK_AGAIN_MS } : { exitCode: EXIT.ok }
  }

  return { observe: observeServices, decide: decideServices, apply, next }
}
