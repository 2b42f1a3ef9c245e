/**
 * Called by: understudy-rejoin.service, as postgres (started by the start gate, by follow and by the periodic check).
 * argv: none. stdin: nothing.
 * Exit codes: 0 a standby, or nothing to do; 1 failed and 75 undecided, or not due yet after a failure: systemd tries again; 64 usage, 69 unavailable.
 */
import { dueAtMs } from '../lib/decide/backoff.ts'
import { EXIT, explain } from '../lib/errors.ts'
import { main, noArguments, runReconciler } from '../lib/handler.ts'
import { paths } from '../lib/paths.ts'
import { rejoin } from '../lib/reconcile/rejoin.ts'
import { forgetFailure, readFailure, recordFailure } from '../lib/world/failure.ts'

main({
  name: 'rejoin',
  help: `rejoin [--dry-run]
Makes a former primary a standby again: pg_rewind first, else a fresh clone. Called by understudy-rejoin.service.`,
  // As long as a clone may take; each step has its own deadline.
  timeoutMs: 24 * 3600 * 1000,
  parse: noArguments,
  async run(_event, context, options) {
    const failed = options.dryRun ? null : readFailure(paths.rejoinFailed)
    if (failed && Date.now() < dueAtMs(failed, Date.now())) return EXIT.retry
    try {
      const plan = await runReconciler(rejoin, context, options)
      if (options.dryRun) return EXIT.ok
      if (plan.do !== 'wait') forgetFailure(paths.rejoinFailed)
      return plan.do === 'wait' ? EXIT.retry : EXIT.ok
    } catch (error) {
      if (!options.dryRun) recordFailure(paths.rejoinFailed, failed, explain(error), Date.now())
      throw error
    }
  },
})
