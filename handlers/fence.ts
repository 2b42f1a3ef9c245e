/**
 * Called by: understudy-fence.service, as postgres (started by repmgrd's `child_nodes_disconnect_command` when no standby is
 * left, and by the periodic check where Consul does not answer or the lock is not ours).
 * argv: none. stdin: nothing.
 * Exit codes: 0 fenced, or nothing to do; 1 failed, 64 usage, 75 deadline.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { decideFence } from '../lib/decide/fence.ts'
import { EXIT } from '../lib/errors.ts'
import { main, noArguments } from '../lib/handler.ts'
import { log } from '../lib/log.ts'
import { applyFence, observeFence } from '../lib/reconcile/fence.ts'

const LOOK_AGAIN_MS = 250

main({
  name: 'fence',
  help: `fence [--dry-run]
Stops a primary that has neither its standbys nor its lock, and gives up its claim on the virtual IP.
Called by understudy-fence.service.`,
  timeoutMs: 60_000,
  parse: noArguments,
  async run(_event, context, { dryRun }) {
    const started = performance.now()
    for (;;) {
      const seen = await observeFence(context)
      const plan = decideFence({ ...seen, waitedMs: performance.now() - started })
      if (dryRun) process.stdout.write(`${JSON.stringify(plan)}\n`)
      if (dryRun) return EXIT.ok
      if (plan.do !== 'wait') log('fence', { ...plan, ms: Math.round(performance.now() - started) })
      if (plan.do === 'fence') await applyFence(context, plan.why)
      if (plan.do !== 'wait') return EXIT.ok
      await pause(LOOK_AGAIN_MS)
    }
  },
})
