import { setTimeout as pause } from 'node:timers/promises'
import { UNKNOWN } from './decide/facts.ts'
import type { Settings } from './settings.ts'
import type { Consul } from './world/consul.ts'

/** What every handler has at hand. */
export interface Context {
  settings: Settings
  consul: Consul
}

/** A plan is data: what to do (`nothing` where all is well) and one sentence why. */
export interface Plan {
  do: string
  why: string
}

/**
 * A handler's work in three parts. `observe` holds the only reads, each with a deadline; a read that fails is the fact
 * `unknown`. `decide` is pure. `apply` is idempotent and may be killed anywhere.
 */
export interface Reconciler<Facts, P extends Plan> {
  name: string
  observe(context: Context): Promise<Facts>
  decide(facts: Facts): P
  apply(plan: P, context: Context): Promise<void>
}

const LOOK_AGAIN_MS = 500

/**
 * Observes, decides and applies. An event that finds a service silent has nothing to do now but would be lost: with
 * patience it looks again until the service answers. @returns the plan that was carried out.
 */
export async function reconcile<Facts extends object, P extends Plan>(
  work: Reconciler<Facts, P>,
  context: Context,
  patienceMs = 0,
): Promise<P> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const facts = await work.observe(context)
    const plan = work.decide(facts)
    if (plan.do !== 'nothing') {
      await work.apply(plan, context)
      return plan
    }
    const blind = Object.values(facts).includes(UNKNOWN)
    if (!blind || performance.now() >= deadline) return plan
    await pause(LOOK_AGAIN_MS)
  }
}
