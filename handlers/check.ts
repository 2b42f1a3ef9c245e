/**
 * Called by: Consul's service check `understudy` every 15 s, as consul. Catches what an event missed.
 * argv: none. stdin: nothing. stdout: what is not as it should be; constant while nothing changes.
 * Exit codes, as Consul understands them: 0 passing, 1 warning, anything else critical.
 */

import { UNKNOWN } from '../lib/decide/facts.ts'
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
import { type Context, type Plan, type Reconciler, reconcile } from '../lib/reconciler.ts'
import { run } from '../lib/world/exec.ts'
import { queueUnit, unitState } from '../lib/world/systemd.ts'

/** Where a reconciler has something to do, runs its handler under its lock. @returns what a person should know, or null. */
async function repair<Facts, P extends Plan>(
  work: Reconciler<Facts, P>,
  context: Context,
): Promise<string | null> {
  try {
    const plan = work.decide(await work.observe(context))
    if (plan.do === 'nothing') return null
    await run('flock', ['--wait', '5', paths.lock(work.name), paths.handler(work.name)])
    return `${work.name}: ${plan.do}, ${plan.why}`
  } catch (error) {
    return `${work.name}: ${explain(error)}`
  }
}

/** Starts the units that hold the lock, follow and rejoin, where they have something to do. */
async function repairDatabase(context: Context): Promise<string | null> {
  const facts = await observeFollow(context, 'understudy_monitor')
  if (facts.leadership === UNKNOWN) return 'Consul does not answer, failover is suspended'
  const { leader, primary } = facts.leadership
  if (primary && (!leader?.session || primary.node === facts.node)) await queueUnit('start', units.failover)
  if (primary && !leader?.session) return 'nobody holds the lock'
  if (facts.local === UNKNOWN || facts.local.role === 'down') return 'PostgreSQL does not answer'
  const plan = decideFollow(facts)
  if (plan.do === 'nothing') return null
  await queueUnit('start', units.follow)
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
  help: `check
Compares this machine with what the cluster wants, repairs what differs and reports it. Called by Consul every 15 s.`,
  timeoutMs: 12_000,
  parse: noArguments,
  async run(_event, context) {
    const problems = await Promise.all([
      repair(vipWeight, context),
      repair(serviceTag, context),
      repair(pgbouncer, context),
      reconcile(vipState(null), context).then(() => null, explain),
      repairDatabase(context).catch(explain),
      checkUnits().catch(explain),
      trimHistory(context).then(
        () => null,
        () => null,
      ),
    ])
    const lines = problems.filter((problem) => problem !== null)
    process.stdout.write(`${lines.join('\n') || 'as it should be'}\n`)
    return lines.length > 0 ? EXIT.failed : EXIT.ok
  },
})
