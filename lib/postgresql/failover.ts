import { readBehind } from '../consul/behind.ts'
import type { Context } from '../consul/handler.ts'
import { recordHistory, recordNews } from '../consul/history.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { type ExitCode, explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import type { Next } from '../core/reconciler.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { waitFor } from '../core/wait.ts'
import { applyFailover } from './apply-failover.ts'
import { applyFollow, restartRepmgrd } from './apply-follow.ts'
import { askedBeforeMs } from './asked-primary.ts'
import { withDatabase } from './client.ts'
import { markCompared } from './compared.ts'
import { promotionMark, unmarkPromotion } from './data-directory.ts'
import { localDatabase } from './database.ts'
import { decideFailover, type FailoverFacts, type FailoverPlan, holdsLock } from './decide-failover.ts'
import { decideFollow } from './decide-follow.ts'
import { isUnpublished } from './decide-rejoin.ts'
import { type Aftermath, decideRun, type Outcome } from './decide-run.ts'
import { keepLoginLookup, lookupPassword } from './login-lookup.ts'
import { observeFailover } from './observe-failover.ts'
import { observeFollow } from './observe-follow.ts'
import { passwordFromFile } from './passfile.ts'
import { resumeRestoreCommand } from './restore-command.ts'
import type { LocalDatabase } from './role.ts'
import { Sessions } from './sessions.ts'
import { keepUpPrimary } from './upkeep.ts'
import { Witness } from './witness.ts'

/** How long a standby waits for the holder of the lock to be published: longer than a promotion takes. */
const PUBLISH_MS = 10_000
/** How often it looks: clients wait for the first standby of a new primary. */
const FOLLOW_AGAIN_MS = 50
/** A few small statements, which wait for a standby. */
const LOGINS_MS = 10_000

export interface GateOptions {
  /** The handler that runs it, for the log. */
  handler: string
  deadlineMs: number
  /** The run ends before this step (validation: the lock is enough). */
  until?: FailoverPlan['do']
}

/**
 * One run of the promotion gate: it looks, decides and acts until it is settled who the primary is, or until the deadline. Another
 * run, on any machine, can continue after a run that was refused, has failed or was killed.
 */
export function failoverGate({ handler, deadlineMs, until }: GateOptions) {
  const started = performance.now()
  const elapsed = (): number => Math.round(performance.now() - started)
  /** When this run first saw the lock free; null if it is not, or if another machine has taken it. */
  let freeSinceMs: number | null = null
  /** When this run first saw that this machine holds the lock; null if it does not. */
  let heldSinceMs: number | null = null
  const witness = new Witness(askedBeforeMs)
  const kept = new Sessions('kept')
  let underLock = new Sessions('asked once')
  let seen: FailoverFacts | null = null
  let promoted = false
  let promotionFailed = false
  let failure = ''
  let aftermath: Aftermath | null = null

  async function observe(context: Context): Promise<FailoverFacts> {
    const since = (ms: number | null): number => (ms === null ? 0 : elapsed() - ms)
    const run = { waitedMs: since(freeSinceMs), heldMs: since(heldSinceMs), promotionFailed }
    const facts = await observeFailover(context, witness, { kept, underLock }, run)
    const isFree = facts.leader !== UNKNOWN && !facts.leader?.session
    const isHeld = holdsLock(facts)
    freeSinceMs = isFree ? (freeSinceMs ?? elapsed()) : isHeld ? freeSinceMs : null
    heldSinceMs = isHeld ? (heldSinceMs ?? elapsed()) : null
    // A login from before the lock is taken again is too old.
    if (!isHeld) underLock = new Sessions('asked once')
    seen = facts
    return facts
  }

  async function apply(plan: FailoverPlan, context: Context): Promise<void> {
    aftermath = null
    if (plan.do === until) return
    if (plan.do === 'unlock') await recordNews(context, 'failover_refused', plan.why)
    // The other candidate is given as much time as at the beginning.
    if (plan.do === 'unlock' && plan.restart) freeSinceMs = null
    if (plan.do === 'settled' || plan.do === 'leave') {
      aftermath = await settle(context)
      return
    }
    let local: LocalDatabase | undefined
    try {
      const applied = await applyFailover(plan, context)
      local = applied.local
      if (applied.locked) askUnderLock(context)
      promoted ||= plan.do === 'promote'
      failure = ''
    } catch (error) {
      const why = explain(error)
      if (why !== failure) log(handler, { failed: plan.do, error: why, ms: elapsed() })
      failure = why
      promotionFailed ||= plan.do === 'promote'
    }
    if (local && seen) return publishAtOnce({ ...seen, local }, context)
    if (elapsed() > deadlineMs) await recordNews(context, 'failover_undecided', plan.why)
  }

  function askUnderLock({ settings }: Context): void {
    const primary = seen?.primary ?? UNKNOWN
    if (primary !== UNKNOWN && primary.node !== settings.node) witness.askUnderLock(primary)
  }

  /**
   * Only the database of this machine is another one since the look before a promotion, as far as the publication depends on it: its
   * transaction fails where the lock or the published primary is.
   */
  async function publishAtOnce(facts: FailoverFacts, context: Context): Promise<void> {
    const plan = decideFailover(facts)
    if (plan.do !== 'publish') return
    log(handler, { do: plan.do, why: plan.why, ms: elapsed() })
    await apply(plan, context)
  }

  /** It is settled who holds the lock: a primary does its upkeep, a standby follows. */
  async function settle(context: Context): Promise<Aftermath> {
    // For a former primary that still runs it is settled as well: another machine holds the lock.
    const facts = seen
    if (facts === null || facts.local === UNKNOWN || facts.local.role !== 'primary' || !holdsLock(facts))
      return followOther(handler, context, facts)
    unmarkPromotion(context.settings.postgresqlVersion)
    markCompared()
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

/** Another machine holds the lock: a WAL receiver that was stopped for the election resumes when that machine is published. */
async function followOther(
  handler: string,
  context: Context,
  facts: FailoverFacts | null,
): Promise<'followed' | 'free'> {
  const local = facts?.local
  if (local === undefined || local === UNKNOWN || local.role !== 'standby') return 'followed'
  const { postgresqlVersion: version } = context.settings
  // The promotion did not happen.
  if (!isUnpublished(promotionMark(version), local)) unmarkPromotion(version)
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

/** The upkeep of a primary, whose repmgrd has to learn its role after a promotion. The next run repeats what fails. */
async function lookAfter(handler: string, context: Context, promoted: boolean): Promise<'done' | 'lost'> {
  try {
    if (promoted) await restartRepmgrd()
    await resumeRestoreCommand(context.settings)
    const outcome = await keepUpPrimary(context)
    if (outcome === 'done') await keepLogins(context)
    return outcome
  } catch (error) {
    log(handler, { failed: 'upkeep', error: explain(error) })
    return 'done'
  }
}

/** PgBouncer can ask the primary for the secrets of its users, also in a database that was made anew. */
async function keepLogins({ settings, consul }: Context): Promise<void> {
  const password = lookupPassword(passwordFromFile('repmgr'))
  for (const database of (await readBehind(consul, settings.database)).databases) {
    const target = localDatabase('postgres', settings.postgresqlPort, database)
    try {
      await withDatabase(target, LOGINS_MS, (own) => keepLoginLookup(own, password))
    } catch (error) {
      // Another database may be as it should be, and this one may not exist.
      log('failover', { failed: 'logins', database, error: explain(error) })
    }
  }
}
