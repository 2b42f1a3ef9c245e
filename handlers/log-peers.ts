/**
 * Called by: understudy-log-peers.service, which the watch on `seats` and the periodic check start. As root.
 * argv: none. stdin: nothing.
 * Exit codes (of the unit): 0 done or nothing to do (also where Consul does not answer), 1 a unit did not start, 64 usage,
 * 75 deadline.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { logPeers } from '../lib/logs/peers.ts'

const { name, observe, decide, apply } = logPeers

main({
  name,
  help: `log-peers [--dry-run]
Sets up the sending of this machine's log to every other member. Called by understudy-log-peers.service, which the watch
on seats and the periodic check start.`,
  timeoutMs: 60_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
