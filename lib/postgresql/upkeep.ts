import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { log } from '../core/log.ts'
import { applyUpkeep, keepMetadata, keepSlots, setCommitRule } from './apply-upkeep.ts'
import { withDatabase } from './client.ts'
import { renderSynchronous } from './config-synchronous.ts'
import { localDatabase } from './database.ts'
import { ALONE_AFTER_MS, decideUpkeep, UPKEEP_MS, type UpkeepPlan } from './decide-upkeep.ts'
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
    // The bookkeeping must not wait for a standby that may be gone.
    await own.query('set synchronous_commit = local')
    await keepSlots(own, context)
    await keepMetadata(own, settings.repmgrId)
    const started = performance.now()
    let streamedAt = started
    let refused = false
    for (;;) {
      const { holder, ...seen } = await observeUpkeep(own, context)
      const now = performance.now()
      const withoutStandbyMs = now - streamedAt
      if (seen.streaming.length > 0) streamedAt = now
      const plan = decideUpkeep({
        ...{ node, underLock: holder, ...seen, withoutStandbyMs, refused, elapsedMs: now - started },
      })
      if (plan.do === 'done') return plan.do
      if (plan.do === 'lost' || holder === null) return 'lost'
      if (plan.do === 'wait') {
        refused = false
        await pause(plan.afterMs)
        continue
      }
      log('failover', { do: plan.do, why: plan.why, rule: ruleOf(plan) })
      if (plan.do === 'restore') await setCommitRule(own, plan.commit)
      else refused = !(await applyUpkeep(plan, own, context, holder))
    }
  })
}

const ruleOf = (plan: Extract<UpkeepPlan, { do: 'elect' | 'commit' | 'restore' }>): string =>
  plan.do === 'elect'
    ? `${plan.election.need} of ${plan.election.voters.join(', ') || 'nobody but the primary'}`
    : renderSynchronous(plan.commit) || 'commits do not wait'
