import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import { recordFailure } from '../core/failure.ts'
import { log } from '../core/log.ts'
import { restoreCommitRule } from './apply-commit-rule.ts'
import { recordConfirmed } from './apply-confirmed.ts'
import { applyUpkeep, keepMetadata, keepReserve, keepSlots } from './apply-upkeep.ts'
import { withDatabase } from './client.ts'
import { renderSynchronous } from './config-synchronous.ts'
import { localDatabase } from './database.ts'
import { type CommitRule, sameCommit } from './decide-durability.ts'
import {
  ALONE_AFTER_MS,
  decideUpkeep,
  UPKEEP_MS,
  type UpkeepFacts,
  type UpkeepPlan,
} from './decide-upkeep.ts'
import { markKeptUp, unmarkKeptUp } from './kept-up.ts'
import { postgresqlPaths } from './manifest.ts'
import { observeUpkeep } from './observe-upkeep.ts'

/** The bookkeeping takes milliseconds; this ends it on a database that hangs. */
const DATABASE_MS = 5000

/**
 * The upkeep of the primary: a replication slot for every other member and for nobody else, repmgr's metadata, the commit rule
 * and the election rule, until every healthy member counts. One run at a time: the others find the advisory lock taken.
 *
 * @returns whether this machine still holds the lock.
 */
export async function keepUpPrimary(context: Context): Promise<'done' | 'lost'> {
  const { settings } = context
  const { node } = settings
  const target = localDatabase('postgres', settings.postgresqlPort, 'repmgr')
  return withDatabase(target, UPKEEP_MS + ALONE_AFTER_MS + DATABASE_MS, async (own) => {
    const [lock] = await own.query<{ ours: boolean }>(
      `select pg_try_advisory_lock(hashtext('understudy upkeep')) as ours`,
    )
    if (!lock?.ours) return 'done'
    unmarkKeptUp()
    // The bookkeeping must not wait for a standby that may be gone.
    await own.query('set synchronous_commit = local')
    await keepSlots(own, context)
    await keepMetadata(own, settings.repmgrId)
    await keepReserve(own)
    const started = performance.now()
    let streamedAt = started
    let failed: UpkeepFacts['failed'] = null
    let proven: CommitRule | null = null
    for (;;) {
      const { holder, strangers, streams, ...seen } = await observeUpkeep(own, context)
      for (const { pid, why } of strangers) {
        log('failover', { do: 'end', why })
        recordFailure(postgresqlPaths.stranger, why, Date.now())
        await own.query('select pg_terminate_backend($1)', [pid])
      }
      const now = performance.now()
      const withoutStandbyMs = now - streamedAt
      if (seen.streaming.length > 0) streamedAt = now
      const plan = decideUpkeep({
        ...{ node, underLock: holder, ...seen, withoutStandbyMs, failed, elapsedMs: now - started },
        proven: proven !== null && sameCommit(proven, seen.commit),
      })
      if (plan.do === 'lost' || holder === null) return 'lost'
      if (plan.do === 'done') {
        const recorder = await recordConfirmed(own, context, holder, { commit: seen.commit, streams })
        if (recorder !== null && plan.complete && strangers.length === 0)
          markKeptUp({ epoch: holder.epoch, recorder })
        return plan.do
      }
      if (plan.do === 'wait') {
        failed = null
        await pause(plan.afterMs)
        continue
      }
      log('failover', { do: plan.do, why: plan.why, rule: ruleOf(plan) })
      if (plan.do === 'restore') {
        await restoreCommitRule(own, plan.commit)
        continue
      }
      try {
        failed = (await applyUpkeep(plan, own, target, context, holder, seen.commit)) ? null : 'refused'
        if (plan.do === 'commit' && failed === null) proven = plan.commit
      } catch (error) {
        if (!(error instanceof UnderstudyError && error.exitCode === EXIT.retry)) throw error
        log('failover', { failed: plan.do, error: explain(error) })
        failed = 'late'
      }
    }
  })
}

const ruleOf = (plan: Extract<UpkeepPlan, { do: 'elect' | 'commit' | 'restore' }>): string =>
  plan.do === 'elect'
    ? `${plan.election.need} of ${plan.election.voters.join(', ') || 'nobody but the primary'}`
    : renderSynchronous(plan.commit) || 'commits do not wait'
