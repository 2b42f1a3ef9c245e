/**
 * Called by: understudy-rejoin.service, as postgres (started by the start gate and by follow).
 * argv: none. stdin: nothing.
 * Exit codes: 0 a standby, or nothing to do; 1 failed and 75 undecided: systemd tries again; 64 usage, 69 unavailable.
 */
import { EXIT } from '../lib/errors.ts'
import { main, noArguments, runReconciler } from '../lib/handler.ts'
import { rejoin } from '../lib/reconcile/rejoin.ts'

main({
  name: 'rejoin',
  help: `rejoin [--dry-run]
Makes a former primary a standby again: pg_rewind first, else a fresh clone. Called by understudy-rejoin.service.`,
  // As long as a clone may take; each step has its own deadline.
  timeoutMs: 24 * 3600 * 1000,
  parse: noArguments,
  async run(_event, context, options) {
    const plan = await runReconciler(rejoin, context, options)
    return plan.do === 'wait' && !options.dryRun ? EXIT.retry : EXIT.ok
  },
})
