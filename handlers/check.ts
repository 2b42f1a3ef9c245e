/**
 * Called by: Consul's service check `understudy` every 15 s, as consul. Catches what an event missed.
 * argv: none. stdin: nothing. stdout: what is not as it should be; constant while nothing changes.
 * Exit codes, as Consul understands them: 0 passing, 1 warning, anything else critical.
 */

import { currentPrimary, UNKNOWN } from '../lib/decide/facts.ts'
import { decideFollow } from '../lib/decide/follow.ts'
import { EXIT, explain } from '../lib/errors.ts'
import { main, noArguments } from '../lib/handler.ts'
import { paths, units } from '../lib/paths.ts'
import { observeFollow } from '../lib/reconcile/follow.ts'
import { trimHistory } from '../lib/reconcile/history.ts'
import { pgbouncer } from '../lib/reconcile/pgbouncer.ts'
import { serviceTag } from '../lib/reconcile/service-tag.ts'
import { vipState } from '../lib/reconcile/vip-state.ts'
import { vipWeight } from '../lib/reconcile/vip-weight.ts'
import type { Context, Plan, Reconciler } from '../lib/reconciler.ts'
import { run } from '../lib/world/exec.ts'
import { queueUnit, unitState } from '../lib/world/systemd.ts'

/** Where a reconciler has something to do, runs its handler under its lock. @returns what a person should know, or null. */
async function repair<Facts, P extends Plan>(
  work: Reconciler<Facts, P>,
  context: Context,
  dryRun: boolean,
): Promise<string | null> {
  try {
    const plan = work.decide(await work.observe(context))
    if (plan.do === 'nothing') return null
    if (!dryRun) {
      // Through the journal, as Consul's watches do: what a handler says belongs there.
      const handler = ['flock', '--wait', '5', paths.lock(work.name), paths.handler(work.name)]
      await run('systemd-cat', ['--identifier=understudy', ...handler])
    }
    return `${work.name}: ${plan.do}, ${plan.why}`
  } catch (error) {
    return `${work.name}: ${explain(error)}`
  }
}

/** Starts the units that hold the lock, follow and rejoin, where they have something to do. */
async function repairDatabase(context: Context, dryRun: boolean): Promise<string | null> {
  const facts = await observeFollow(context, 'understudy_monitor')
  if (facts.leadership === UNKNOWN) return 'Consul does not answer, failover is suspended'
  const { leader, primary } = facts.leadership
  // A lock of ours is looked after whoever is published: a run that was killed may have left it.
  const ours = [primary?.node, leader?.value.node].includes(facts.node)
  if (primary && (!leader?.session || ours) && !dryRun) await queueUnit('start', units.failover)
  if (primary && !currentPrimary(facts.leadership)) {
    return leader?.session
      ? `${leader.value.node} holds the lock, but is not published`
      : 'nobody holds the lock'
  }
  if (facts.local === UNKNOWN || facts.local.role === 'down') return 'PostgreSQL does not answer'
  const plan = decideFollow(facts)
  if (plan.do === 'nothing') return null
  if (!dryRun) await queueUnit('start', units.follow)
  return `follow: ${plan.why}`
}

async function checkUnits(): Promise<string | null> {
  const watched = [units.pgbouncer, units.keepalived, units.repmgrd]
  const states = await Promise.all(watched.map(unitState))
  const down = watched.filter(
    (_unit, index) => !['active', 'activating', 'reloading'].includes(states[index] ?? ''),
  )
  return down.length > 0 ? `not running: ${down.join(', ')}` : null
}

main({
  name: 'check',
  help: `check [--dry-run]
Compares this machine with what the cluster wants, repairs what differs and reports it. Called by Consul every 15 s.`,
  timeoutMs: 12_000,
  parse: noArguments,
  async run(_event, context, { dryRun }) {
    const problems = await Promise.all([
      repair(vipWeight, context, dryRun),
      repair(serviceTag, context, dryRun),
      repair(pgbouncer, context, dryRun),
      repair(vipState(null), context, dryRun),
      repairDatabase(context, dryRun).catch(explain),
      checkUnits().catch(explain),
    ])
    if (!dryRun) await trimHistory(context).catch(() => {})
    const lines = problems.filter((problem) => problem !== null)
    process.stdout.write(`${lines.join('\n') || 'as it should be'}\n`)
    return lines.length > 0 ? EXIT.failed : EXIT.ok
  },
})
