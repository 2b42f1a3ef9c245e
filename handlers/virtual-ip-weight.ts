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
Sets this machine's weight in the election of the virtual IP. By policy, the address follows the primary or is placed by
priority. Called by the periodic check and by understudy-withdraw.service. lead-changed does the same work.`,
  timeoutMs: 20_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
