/**
 * Called by: Consul's watches on `postgresql/primary` and `config`, as consul.
 * argv: none. stdin: the watch's JSON, ignored.
 * Exit codes (Consul only logs them): 0 done or nothing to do, 64 usage, 75 deadline.
 */
import { mainReconciler } from '../lib/handler.ts'
import { vipWeight } from '../lib/reconcile/vip-weight.ts'

mainReconciler(
  vipWeight,
  `vip-weight [--dry-run]
Sets the weight of this machine in the election of the virtual IP, which follows the primary or stays by priority.
Called by Consul's watches on postgresql/primary and config.`,
)
