/**
 * Called by: the periodic check, understudy-withdraw.service and people; `lead-changed` does the same work. As consul.
 * argv: none. stdin: nothing.
 * Exit codes (Consul only logs them): 0 done or nothing to do, 64 usage, 75 deadline.
 */
import { mainReconciler } from '../lib/handler.ts'
import { vipWeight } from '../lib/reconcile/vip-weight.ts'

mainReconciler(
  vipWeight,
  `vip-weight [--dry-run]
Sets the weight of this machine in the election of the virtual IP, which follows the primary or stays by priority.
Called by the periodic check; lead-changed does the same.`,
)
