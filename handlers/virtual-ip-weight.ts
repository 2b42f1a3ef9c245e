/**
 * Called by: the periodic check, understudy-withdraw.service and people; `lead-changed` does the same work. As consul.
 * argv: none. stdin: nothing.
 * Exit codes (Consul only logs them): 0 done or nothing to do, 64 usage, 75 deadline.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { virtualIpWeight } from '../lib/virtual-ip/weight.ts'

const { name, observe, decide, apply } = virtualIpWeight

main({
  name,
  help: `virtual-ip-weight [--dry-run]
Sets the weight of this machine in the election of the virtual IP, which follows the primary or stays by priority.
Called by the periodic check; lead-changed does the same.`,
  timeoutMs: 20_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
