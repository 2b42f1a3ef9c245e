import type { Context } from '../consul/handler.ts'
import { recordHistory, recordNews } from '../consul/history.ts'
import { currentPrimary } from '../consul/leadership.ts'
import type { ExitCode } from '../core/errors.ts'
import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import type { Next, Run } from '../core/reconciler.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { waitFor } from '../core/wait.ts'
import { applyFailover } from './apply-failover.ts'
import { applyFollow, restartRepmgrd } from './apply-follow.ts'
import { unmarkPromotion } from './data-directory.ts'
import { decideFailover, type FailoverFacts, type FailoverPlan, holdsLock } from './decide-failover.ts'
import { decideFollow } from './decide-follow.ts'
import { type Aftermath, decideRun, type Outcome } from './decide-run.ts'
import { observeFailover } from './observe-failover.ts'
import { observeFollow } from './observe-follow.ts'
import { keepUpPrimary } from './upkeep.ts'

/** How long a standby waits for whoever has the lock to be published, and how often it looks. */
const PUBLISH_MS = 10_000
const FOLLOW_AGAIN_MS = 50

export interface GateOptions {
  /** The handler that runs it, for the log. */
  handler: string
  deadlineMs: number
  /** Stops before this step is taken (validation: the lock is enough). */
  until?: FailoverPlan['do']
}

/**
 * One run of the gate that every promotion passes: looks, decides and acts until the question who is the primary is settled, or
 * the deadline comes. A refused, failed or killed run leaves nothing behind that another run, here or elsewhere, cannot take up.
 */
export function failoverGate({ handler, deadlineMs, until }: GateOptions) {
  const started = performance.now()
  const elapsed = (): number => Math.round(performance.now() - started)
  /** When this run first saw the lock free; null where it is not, or was taken by another machine. */
  let freeSinceMs: number | null = null
  /** The last look, where it found the old primary silent. */
  let lastLook: FailoverFacts | null = null
  let seen: FailoverFacts | null = null
  let promoted = false
  let failure = ''
  let aftermath: Aftermath | null = null

  async function observe(context: Context, _run: Run): Promise<FailoverFacts> {
    const facts = await observeFailover(context, freeSinceMs === null ? 0 : elapsed() - freeSinceMs, lastLook)
    const isFree = facts.leader !== UNKNOWN && !facts.leader?.session
    freeSinceMs = isFree ? (freeSinceMs ?? elapsed()) : holdsLock(facts) ? freeSinceMs : null
    seen = facts
    return facts
  }

  async function apply(plan: FailoverPlan, context: Context): Promise<void> {
    lastLook = plan.do === 'stop-receiver' ? seen : null
    aftermath = null
    if (plan.do === until) return
    if (plan.do === 'unlock') await recordNews(context, 'failover_refused', plan.why)
    if (plan.do === 'settled' || plan.do === 'leave') {
      aftermath = await settle(context)
      return
    }
    try {
      await applyFailover(plan, context)
      promoted ||= plan.do === 'promote'
      failure = ''
    } catch (error) {
      const why = explain(error)
      if (why !== failure) log(handler, { failed: plan.do, error: why, ms: elapsed() })
      failure = why
    }
    if (elapsed() > deadlineMs) await recordNews(context, 'failover_undecided', plan.why)
  }

  /** The question is settled: a primary looks after its standbys, a standby follows. */
  async function settle(context: Context): Promise<Aftermath> {
    // A former primary that still runs finds the question settled as well: by another machine.
    const facts = seen
    if (facts === null || facts.local === UNKNOWN || facts.local.role !== 'primary' || !holdsLock(facts))
      return followOther(handler, context, facts)
    unmarkPromotion(context.settings.postgresqlVersion)
    if (promoted) await recordHistory(context, 'failover_promoted', `promoted after ${elapsed()} ms`)
    return lookAfter(handler, context, promoted)
  }

  function next(plan: FailoverPlan, exitCodeOf: (outcome: Outcome) => ExitCode): Next {
    const after = decideRun({
      ...{ step: plan.do, until: until ?? null, failed: failure !== '', aftermath },
      ...{ elapsedMs: elapsed(), deadlineMs },
    })
    return after.do === 'end' ? { exitCode: exitCodeOf(after.outcome) } : { lookAgainMs: after.afterMs }
  }

  return { observe, decide: decideFailover, apply, next }
}

/** Another machine leads: what a standby has stopped for the election resumes with its outcome. */
async function followOther(
  handler: string,
  context: Context,
  facts: FailoverFacts | null,
): Promise<'followed' | 'free'> {
  const local = facts?.local
  if (local === undefined || local === UNKNOWN || local.role !== 'standby') return 'followed'
  // In recovery: what was to become a promotion did not.
  unmarkPromotion(context.settings.postgresqlVersion)
  if (!local.receiverStopped) return 'followed'
  const outcome = async () => {
    const found = await observeFollow(context)
    if (found.leadership === UNKNOWN) return null
    return currentPrimary(found.leadership) || !found.leadership.leader?.session ? found : null
  }
  try {
    const found = await waitFor('a new primary to be published', PUBLISH_MS, outcome, FOLLOW_AGAIN_MS)
    const plan = decideFollow(found)
    log(handler, { do: plan.do, why: plan.why })
    await applyFollow(plan, context)
    return found.leadership === UNKNOWN || currentPrimary(found.leadership) !== null ? 'followed' : 'free'
  } catch (error) {
    log(handler, { failed: 'follow', error: explain(error) })
    return 'followed'
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
