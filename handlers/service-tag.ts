/**
 * Called by: Consul's watch on `postgresql/primary`, as consul.
 * argv: none. stdin: the watch's JSON, ignored.
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 64 usage, 75 deadline.
 */
import { mainReconciler } from '../lib/handler.ts'
import { serviceTag } from '../lib/reconcile/service-tag.ts'

mainReconciler(
  serviceTag,
  `service-tag [--dry-run]
Tags this machine's postgresql service with its role, so that primary.postgresql.service.consul answers with the primary.
Called by Consul's watch on postgresql/primary.`,
)
