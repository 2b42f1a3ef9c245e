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

/** Observes, decides and applies once. @returns the plan that was carried out. */
export async function reconcile<Facts, P extends Plan>(
  work: Reconciler<Facts, P>,
  context: Context,
): Promise<P> {
  const plan = work.decide(await work.observe(context))
  if (plan.do !== 'nothing') await work.apply(plan, context)
  return plan
}
