/**
 * Called by: understudy-follow.service (started by `lead-changed` and by the periodic check) and by
 * repmgrd's `follow_command`, both as postgres.
 * argv: none. stdin: nothing.
 * Exit codes: 0 done or nothing to do (also where Consul does not answer), 1 failed, 64 usage, 75 deadline, or another machine
 * leads by now.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { follow } from '../lib/postgresql/follow.ts'

const { name, observe, decide, apply } = follow

main({
  name,
  help: `follow [--dry-run]
Points this standby at the primary. Starts a rejoin if this machine is a former primary.
Called by understudy-follow.service and by repmgrd's follow_command.`,
  timeoutMs: 75_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
