/**
 * Called by: Consul's watches on `postgresql/leader` and `postgresql/primary`, as consul.
 * argv: none. stdin: the watch's JSON, ignored: an event only says "look again".
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 64 usage, 75 deadline.
 */
import { mainReconciler } from '../lib/handler.ts'
import { pgbouncer } from '../lib/reconcile/pgbouncer.ts'

mainReconciler(
  pgbouncer,
  `pgbouncer [--dry-run]
Points this machine's PgBouncer at the primary, or makes it hold its clients back while there is none.
Called by Consul's watches on postgresql/leader and postgresql/primary.`,
)
