/**
 * Called by: understudy-command.service, which `lead-changed`, understudy-withdraw.service and the periodic check start.
 * As keepalived_script.
 * argv: none. stdin: nothing.
 * Exit codes (of the unit, which repeats the run after 1 and 75): 0 done or nothing to do (also where Consul does not answer), 1 the
 * command failed, 64 usage, 75 deadline.
 */
import { applyCall } from '../lib/command/apply.ts'
import { decideCall } from '../lib/command/decide-call.ts'
import { observeCall } from '../lib/command/observe.ts'
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'

main({
  name: 'virtual-ip-command',
  help: `virtual-ip-command [--dry-run]
Calls the operator's virtual IP command when this machine has become the primary, or no longer is. Called by
understudy-command.service, which lead-changed and the periodic check start.`,
  timeoutMs: 80_000,
  parse: noArguments,
  observe: observeCall,
  decide: decideCall,
  apply: applyCall,
  // Who is the primary may have changed while the command ran.
  next: (step) => (step.plan.do === 'call' ? { lookAgainMs: 0 } : untilConsulAnswers(step)),
})
