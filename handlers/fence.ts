/**
 * Called by: understudy-fence.service, as postgres (started by repmgrd's `child_nodes_disconnect_command` when no standby is
 * left, and by the periodic check where Consul does not answer or the lock is not ours).
 * argv: none. stdin: nothing.
 * Exit codes: 0 fenced, or nothing to do; 1 failed, 64 usage, 75 deadline.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT } from '../lib/core/errors.ts'
import { noArguments } from '../lib/core/handler.ts'
import { applyFence } from '../lib/postgresql/apply-fence.ts'
import { decideFence } from '../lib/postgresql/decide-fence.ts'
import { observeFence } from '../lib/postgresql/observe-fence.ts'

/** Between two looks while a primary may still get back its lock or its standbys. */
const LOOK_AGAIN_MS = 250

main({
  name: 'fence',
  help: `fence [--dry-run]
Stops a primary that has lost both its standbys and its lock, and gives up the virtual IP.
Called by understudy-fence.service.`,
  timeoutMs: 60_000,
  parse: noArguments,
  observe: observeFence,
  decide: decideFence,
  apply: applyFence,
  next: ({ plan }) => (plan.do === 'wait' ? { lookAgainMs: LOOK_AGAIN_MS } : { exitCode: EXIT.ok }),
})
