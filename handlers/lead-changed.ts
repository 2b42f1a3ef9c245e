/**
 * Called by: Consul's watches on `postgresql/primary` and `config`, and `leader-released`, as consul.
 * argv: none. stdin: the watch's JSON, ignored: an event only says "look again".
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 1 one of them failed,
 * 64 usage, 75 deadline.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { currentPrimary, UNKNOWN } from '../lib/decide/facts.ts'
import { EXIT, type ExitCode, explain } from '../lib/errors.ts'
import { EVENT_PATIENCE_MS, main, noArguments, runReconciler } from '../lib/handler.ts'
import { log } from '../lib/log.ts'
import { followIfNeeded } from '../lib/reconcile/follow.ts'
import { known, readLeadership } from '../lib/reconcile/observe.ts'
import { pgbouncer } from '../lib/reconcile/pgbouncer.ts'
import { serviceTag } from '../lib/reconcile/service-tag.ts'
import { vipWeight } from '../lib/reconcile/vip-weight.ts'
import type { Context, Plan, Reconciler } from '../lib/reconciler.ts'

/** How long after its start it still waits for a new primary: longer than a failover takes from there. Others wait for its lock. */
const ELECTION_MS = 4000
const LOOK_AGAIN_MS = 50

/**
 * Waits for it where nobody leads: clients are held back by then, and the start of another process would cost them more.
 * @param onLock is run once, when somebody has the lock who is not published yet.
 */
async function newPrimary(
  { consul }: Context,
  deadline: number,
  onLock: () => Promise<void>,
): Promise<boolean> {
  let locked = false
  for (let waited = false; performance.now() < deadline; waited = true) {
    const leadership = await known(readLeadership(consul))
    if (leadership === UNKNOWN || leadership.primary === null) return false
    if (currentPrimary(leadership)) return waited
    if (leadership.leader?.session && !locked) {
      locked = true
      await onLock()
    }
    await pause(LOOK_AGAIN_MS)
  }
  return false
}

main({
  name: 'lead-changed',
  help: `lead-changed [--dry-run]
Lets everything on this machine follow the primary, in the order in which clients miss it: the virtual IP's weight,
PgBouncer, replication, the service's tag. One process, as each start of Node delays the others.
Called by Consul's watches on postgresql/primary and config, and by leader-released.`,
  timeoutMs: 25_000,
  parse: noArguments,
  async run(_event, context, options) {
    let code: ExitCode = EXIT.ok
    const attempt = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work()
      } catch (error) {
        log(name, { error: explain(error) })
        code = EXIT.failed
      }
    }
    const settle = <Facts extends object, P extends Plan>(work: Reconciler<Facts, P>) =>
      attempt(work.name, () => runReconciler(work, context, { ...options, patienceMs: EVENT_PATIENCE_MS }))
    const all = async (): Promise<void> => {
      // First: it may send clients away, which PgBouncer lets in again.
      await settle(vipWeight)
      await settle(pgbouncer)
      await attempt('follow', () => followIfNeeded(context, options.dryRun))
      await settle(serviceTag)
    }
    const deadline = performance.now() + ELECTION_MS
    await all()
    // The address goes ahead, so that clients wait where they will be served.
    if (!options.dryRun && (await newPrimary(context, deadline, () => settle(vipWeight)))) await all()
    return code
  },
})
