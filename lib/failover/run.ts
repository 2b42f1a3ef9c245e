import { decideFailover, type FailoverFacts, type FailoverPlan, holdsLock } from '../decide/failover.ts'
import { EXIT, type ExitCode, explain } from '../errors.ts'
import { log } from '../log.ts'
import { restartRepmgrd } from '../reconcile/follow.ts'
import { recordHistory } from '../reconcile/history.ts'
import type { Context } from '../reconciler.ts'
import { unmarkPromotion } from '../world/data-directory.ts'
import { applyFailover } from './apply.ts'
import { observeFailover } from './observe.ts'
import { keepUpPrimary } from './upkeep.ts'

/** How often the gate looks again while it waits. */
const LOOK_AGAIN_MS = 200

/** How a run ended: with this machine as the primary, with another one, or without an outcome (try again later). */
export type Outcome = 'primary' | 'other' | 'undecided'

/** For how long the lock has been held, by the clock of this machine, which took it. */
const heldSince = (leader: FailoverFacts['leader']): number =>
  leader === 'unknown' || leader === null ? 0 : Date.now() - Date.parse(leader.value.since)

/** Prints what the gate would do now, and does nothing. */
export async function showFailover(context: Context): Promise<ExitCode> {
  const plan = decideFailover(await observeFailover(context, 0))
  process.stdout.write(`${JSON.stringify(plan)}\n`)
  return EXIT.ok
}

/**
 * Looks, decides and acts until the question who is the primary is settled, or the deadline comes. A refused, failed or
 * killed run leaves nothing behind that another run, here or elsewhere, cannot take up.
 *
 * @param until stops before this step is taken (validation: the lock is enough).
 */
export async function runFailover(
  handler: string,
  context: Context,
  deadlineMs: number,
  until?: FailoverPlan['do'],
): Promise<Outcome> {
  const started = performance.now()
  const elapsed = (): number => Math.round(performance.now() - started)
  let told = ''
  let promoted = false
  for (;;) {
    const facts = await observeFailover(context, elapsed())
    const plan = decideFailover(facts)
    const news = `${plan.do}: ${plan.why}`
    if (news !== told) log(handler, { do: plan.do, why: plan.why, ms: elapsed() })
    if (plan.do === 'unlock') await recordHistory(context, 'failover_refused', plan.why)
    told = news
    if (plan.do === until) return 'primary'
    if (plan.do === 'settled' || plan.do === 'leave') {
      // A former primary that still runs finds the question settled as well: by another machine.
      if (facts.local === 'unknown' || facts.local.role !== 'primary' || !holdsLock(facts)) {
        // In recovery: what was to become a promotion did not.
        if (facts.local !== 'unknown' && facts.local.role === 'standby')
          unmarkPromotion(context.settings.postgresqlVersion)
        return 'other'
      }
      unmarkPromotion(context.settings.postgresqlVersion)
      if (promoted) await recordHistory(context, 'failover_promoted', `promoted after ${elapsed()} ms`)
      // The question is settled whatever becomes of this: the next periodic run does it again.
      const heldMs = heldSince(facts.leader)
      const upkeep = keepUpPrimary(context, heldMs)
      await (promoted ? upkeep.then(restartRepmgrd) : upkeep).catch((error) =>
        log(handler, { failed: 'upkeep', error: explain(error) }),
      )
      return 'primary'
    }
    try {
      await applyFailover(plan, context)
      promoted ||= plan.do === 'promote'
    } catch (error) {
      log(handler, { failed: plan.do, error: explain(error), ms: elapsed() })
    }
    if (elapsed() > deadlineMs) {
      await recordHistory(context, 'failover_undecided', plan.why)
      return 'undecided'
    }
    if (plan.do === 'wait' || plan.do === 'unlock')
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}
