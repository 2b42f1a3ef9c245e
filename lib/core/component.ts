import type { Plan, Reconciler } from './reconciler.ts'

/** What a line of the periodic check has decided. */
export interface CheckPlan extends Plan {
  /** What a person should know, one sentence each; also what is being repaired. */
  problems: readonly string[]
}

/** A line of the periodic check: looks at one thing, repairs it or starts its repair, and says what a person should know. */
export interface CheckLine<Context, Facts extends object = object, P extends CheckPlan = CheckPlan>
  extends Reconciler<Context, Facts, P> {
  /** The id of a check of its own in Consul that says this, so that it hides nothing else; else it is in `understudy`. */
  report?: string
}
