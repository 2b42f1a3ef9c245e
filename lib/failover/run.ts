import { setTimeout as pause } from 'node:timers/promises'
import { currentPrimary, UNKNOWN } from '../decide/facts.ts'
import { decideFailover, type FailoverFacts, type FailoverPlan, holdsLock } from '../decide/failover.ts'
import { EXIT, type ExitCode, explain } from '../errors.ts'
import { log } from '../log.ts'
import { follow, restartRepmgrd } from '../reconcile/follow.ts'
import { recordHistory, recordNews } from '../reconcile/history.ts'
import type { Context } from '../reconciler.ts'
import { waitFor } from '../wait.ts'
import { unmarkPromotion } from '../world/data-directory.ts'
import { applyFailover } from './apply.ts'
import { observeFailover } from './observe.ts'
import { keepUpPrimary } from './upkeep.ts'

/** How often the gate looks again while it waits. */
const LOOK_AGAIN_MS = 50
/** How long it leaves what has just failed alone. */
const TRY_AGAIN_MS = 500
/** How long a standby waits for whoever has the lock to be published, and how often it looks. */
const PUBLISH_MS = 10_000
const FOLLOW_AGAIN_MS = 50

/** How a run ended: with this machine as the primary, with another one, or without an outcome (try again later). */
export type Outcome = 'primary' | 'other' | 'undecided'

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
  let freeSince: number | null = null
  let told = ''
  let failed = ''
  let promoted = false
  let glanced: FailoverFacts | null = null
  for (;;) {
    const facts = await observeFailover(context, freeSince === null ? 0 : elapsed() - freeSince, glanced)
    const isFree = facts.leader !== UNKNOWN && !facts.leader?.session
    freeSince = isFree ? (freeSince ?? elapsed()) : holdsLock(facts) ? freeSince : null
    const plan = decideFailover(facts)
    glanced = plan.do === 'stand-still' ? facts : null
    const news = `${plan.do}: ${plan.why}`
    if (news !== told) log(handler, { do: plan.do, why: plan.why, ms: elapsed() })
    if (plan.do === 'unlock') await recordNews(context, 'failover_refused', plan.why)
    told = news
    if (plan.do === until) return 'primary'
    if (plan.do === 'settled' || plan.do === 'leave') {
      // A former primary that still runs finds the question settled as well: by another machine.
      if (facts.local === UNKNOWN || facts.local.role !== 'primary' || !holdsLock(facts)) {
        if (await concede(handler, context, facts)) return 'other'
        continue
      }
      unmarkPromotion(context.settings.postgresqlVersion)
      if (promoted) await recordHistory(context, 'failover_promoted', `promoted after ${elapsed()} ms`)
      // The question is settled whatever becomes of this: the next periodic run does it again.
      if ((await lookAfter(handler, context, promoted)) === 'kept' || elapsed() > deadlineMs) return 'primary'
      continue
    }
    try {
      await applyFailover(plan, context)
      promoted ||= plan.do === 'promote'
      failed = ''
    } catch (error) {
      const why = explain(error)
      if (why !== failed) log(handler, { failed: plan.do, error: why, ms: elapsed() })
      failed = why
    }
    if (elapsed() > deadlineMs) {
      await recordNews(context, 'failover_undecided', plan.why)
      return 'undecided'
    }
    if (plan.do === 'wait' || plan.do === 'unlock' || plan.do === 'still-others' || failed !== '')
      await pause(failed === '' ? LOOK_AGAIN_MS : TRY_AGAIN_MS)
  }
}

/**
 * Another machine leads: what a standby has stopped for the election resumes with its outcome.
 * @returns false where there was none: the lock is free again.
 */
async function concede(handler: string, context: Context, { local }: FailoverFacts): Promise<boolean> {
  if (local === UNKNOWN || local.role !== 'standby') return true
  // In recovery: what was to become a promotion did not.
  unmarkPromotion(context.settings.postgresqlVersion)
  if (!local.still) return true
  const outcome = async () => {
    const facts = await follow.observe(context)
    if (facts.leadership === UNKNOWN) return null
    return currentPrimary(facts.leadership) || !facts.leadership.leader?.session ? facts : null
  }
  try {
    const facts = await waitFor('the new primary is published', PUBLISH_MS, outcome, FOLLOW_AGAIN_MS)
    const plan = follow.decide(facts)
    log(handler, { do: plan.do, why: plan.why })
    await follow.apply(plan, context)
    return facts.leadership === UNKNOWN || currentPrimary(facts.leadership) !== null
  } catch (error) {
    log(handler, { failed: 'follow', error: explain(error) })
    return true
  }
}

/** The new primary's repmgrd has to learn its role; a failure here is made good by the next run. */
async function lookAfter(handler: string, context: Context, promoted: boolean): Promise<'kept' | 'lost'> {
  try {
    if (promoted) await restartRepmgrd()
    return await keepUpPrimary(context)
  } catch (error) {
    log(handler, { failed: 'upkeep', error: explain(error) })
    return 'kept'
  }
}
