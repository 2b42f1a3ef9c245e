/**
 * Called by: the periodic check, understudy-withdraw.service and people; `lead-changed` does the same work. As consul.
 * argv: none. stdin: nothing.
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 64 usage, 75 deadline.
 */
import { mainReconciler } from '../lib/handler.ts'
import { pgbouncer } from '../lib/reconcile/pgbouncer.ts'

mainReconciler(
  pgbouncer,
  `pgbouncer [--dry-run]
Points this machine's PgBouncer at the primary, or makes it hold its clients back while there is none.
Called by the periodic check; lead-changed does the same.`,
)
