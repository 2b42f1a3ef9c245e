import { setTimeout as pause } from 'node:timers/promises'
import { EXIT, type ExitCode } from './errors.ts'
import { log } from './log.ts'
import { UNKNOWN } from './unknown.ts'

/** A plan is data: what to do (`nothing` where all is well) and one sentence why. */
export interface Plan {
  do: string
  why: string
}

/** What a run knows of itself when it observes. */
export interface Run {
  /** Since its start. */
  elapsedMs: number
}

/**
 * The work of a handler in three steps. `observe` holds the only reads, each with a deadline; a read that was not answered is the
 * fact `UNKNOWN`. `decide` is pure. `apply` is idempotent and may be killed anywhere.
 */
export interface Reconciler<Context, Facts extends object, P extends Plan> {
  /** The name of its handler. */
  name: string
  /** The caller keeps what is logged as the result, as Consul does with a check: plans are not logged. */
  silent?: true
  observe(context: Context, run: Run): Promise<Facts>
  decide(facts: Facts): P
  apply(plan: P, context: Context): Promise<void>
}

/** What a run has seen, decided and carried out. */
export interface Step<Facts, P> extends Run {
  facts: Facts
  plan: P
}

/** What follows a step: the end of the run with an exit code, or another look. */
export type Next = { exitCode: ExitCode } | { lookAgainMs: number }

const once = (): Next => ({ exitCode: EXIT.ok })

/** Between two looks at a service that does not answer. */
const LOOK_AGAIN_MS = 500

/** An event that finds a service silent has nothing to do now but would be lost: looks again until the service answers. */
export const untilAnswered =
  (patienceMs: number) =>
  ({ facts, plan, elapsedMs }: Step<object, Plan>): Next => {
    const blind = plan.do === 'nothing' && Object.values(facts).includes(UNKNOWN)
    return blind && elapsedMs < patienceMs ? { lookAgainMs: LOOK_AGAIN_MS } : { exitCode: EXIT.ok }
  }

/** Observes, decides and applies until `next` ends it. A plan that is news is logged before it is carried out. */
export async function reconcile<Context, Facts extends object, P extends Plan>(
  { name, silent, observe, decide, apply }: Reconciler<Context, Facts, P>,
  context: Context,
  next: (step: Step<Facts, P>) => Next = once,
): Promise<{ plan: P; exitCode: ExitCode }> {
  const started = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - started)
  let logged = ''
  for (;;) {
    const facts = await observe(context, { elapsedMs: elapsedMs() })
    const plan = decide(facts)
    const news = `${plan.do}: ${plan.why}`
    if (news !== logged && !silent) log(name, { do: plan.do, why: plan.why, ms: elapsedMs() })
    logged = news
    await apply(plan, context)
    const after = next({ facts, plan, elapsedMs: elapsedMs() })
    if ('exitCode' in after) return { plan, exitCode: after.exitCode }
    await pause(after.lookAgainMs)
  }
}
