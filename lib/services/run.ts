import type { Context } from '../consul/handler.ts'
import { EXIT } from '../core/errors.ts'
import type { Next, Plan, Run, Step } from '../core/reconciler.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { applyServices } from './apply.ts'
import { applyGiveWay } from './apply-give-way.ts'
import { decideServices, type ServicesFacts, type ServicesPlan } from './decide.ts'
import { decideGiveWay, FAILING_MS, type GiveWayFacts, type GiveWayPlan } from './decide-give-way.ts'
import { observeServices } from './observe.ts'
import { failingHere, failures, observeGiveWay } from './observe-give-way.ts'

/** Between two looks while something is waited for. */
const LOOK_AGAIN_MS = 200
/** Between two looks at a service that fails: Consul's check has a result every 5 s. */
const WATCH_AGAIN_MS = 1000
/** How long one run watches a service that fails. */
const WATCH_MS = FAILING_MS + 10_000
/** Looks after something was done: systemd does not start a second run for an event that comes during this one. */
const ROUNDS = 3

interface ServicesRunFacts {
  services: ServicesFacts
  /** null where no service that gives way fails. */
  giveWay: GiveWayFacts | null
}

interface ServicesRunPlan extends Plan {
  do: ServicesPlan['do'] | GiveWayPlan['do']
  services: ServicesPlan
  giveWay: GiveWayPlan | null
}

/** One run in which this machine's services become what they are to be; then those that fail may make it give way. */
export function servicesRun() {
  let rounds = 0
  const failingFor = failures()

  async function observe(context: Context, run: Run): Promise<ServicesRunFacts> {
    const services = await observeServices(context, run)
    const list = services.list === UNKNOWN ? services.applied : services.list
    const failing = failingFor(list === null ? [] : await failingHere(context, list), run)
    const fails = list !== null && Object.keys(failing).length > 0
    return { services, giveWay: fails ? await observeGiveWay(context, list, failing) : null }
  }

  function decide(facts: ServicesRunFacts): ServicesRunPlan {
    const services = decideServices(facts.services)
    // Where the active machine changes anyway, that is all.
    const stays = services.do !== 'wait' && services.mark === null && services.stop.length === 0
    const giveWay = stays && facts.giveWay !== null ? decideGiveWay(facts.giveWay) : null
    const { do: what, why } = giveWay !== null && giveWay.do !== 'nothing' ? giveWay : services
    return { do: what, why, services, giveWay }
  }

  async function apply({ services, giveWay }: ServicesRunPlan, context: Context): Promise<void> {
    // A unit that fails again and again is started once in a run.
    const isRepeated = rounds > 0 && services.mark !== true
    if (services.do === 'apply') rounds += 1
    await applyServices(isRepeated ? { ...services, start: [] } : services, context)
    if (giveWay) await applyGiveWay(giveWay, services.list, context)
  }

  function next({ plan, elapsedMs }: Step<ServicesRunFacts, ServicesRunPlan>): Next {
    if (plan.do === 'watch' && elapsedMs < WATCH_MS) return { lookAgainMs: WATCH_AGAIN_MS }
    const again = ['wait', 'hand-over'].includes(plan.do) || (plan.do === 'apply' && rounds < ROUNDS)
    return again ? { lookAgainMs: LOOK_AGAIN_MS } : { exitCode: EXIT.ok }
  }

  return { observe, decide, apply, next }
}
