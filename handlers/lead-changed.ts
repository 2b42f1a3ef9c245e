/**
 * Called by: Consul's watches on `postgresql/primary` and `config`, as consul.
 * argv: none. stdin: the watch's JSON, ignored: an event only says "look again".
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 1 one of them failed,
 * 64 usage, 75 deadline.
 */
import { EXIT, type ExitCode, explain } from '../lib/errors.ts'
import { EVENT_PATIENCE_MS, main, noArguments, runReconciler } from '../lib/handler.ts'
import { log } from '../lib/log.ts'
import { followIfNeeded } from '../lib/reconcile/follow.ts'
import { pgbouncer } from '../lib/reconcile/pgbouncer.ts'
import { serviceTag } from '../lib/reconcile/service-tag.ts'
import { vipWeight } from '../lib/reconcile/vip-weight.ts'
import type { Plan, Reconciler } from '../lib/reconciler.ts'

main({
  name: 'lead-changed',
  help: `lead-changed [--dry-run]
Lets everything on this machine follow the primary, in the order in which clients miss it: PgBouncer, the virtual IP's
weight, replication, the service's tag. One process, as each start of Node delays the others.
Called by Consul's watches on postgresql/primary and config.`,
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
    await settle(pgbouncer)
    await settle(vipWeight)
    await attempt('follow', () => followIfNeeded(context, options.dryRun))
    await settle(serviceTag)
    return code
  },
})
