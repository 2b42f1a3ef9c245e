/**
 * Called by: understudy-peers.service, which the watch on `seats` and the periodic check start. As root.
 * argv: none. stdin: nothing.
 * Exit codes (of the unit): 0 done or nothing to do (also where Consul does not answer), 1 keepalived was not told, 64 usage,
 * 75 deadline.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { virtualIpPeers } from '../lib/virtual-ip/peers.ts'

const { name, observe, decide, apply } = virtualIpPeers

main({
  name,
  help: `virtual-ip-peers [--dry-run]
Writes the other members into keepalived's settings and lets it read them. Called by understudy-peers.service,
which the watch on seats and the periodic check start.`,
  timeoutMs: 30_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
