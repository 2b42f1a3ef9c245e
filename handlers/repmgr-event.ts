/**
 * Called by: repmgr's and repmgrd's `event_notification_command`, as postgres.
 * argv: %n node id, %e event, %s 1 or 0, %t time, %d details. An unset one arrives as an empty argument.
 * Exit codes (repmgr only logs them): 0 recorded, 64 usage.
 */
import { EXIT, usageError } from '../lib/errors.ts'
import { main } from '../lib/handler.ts'
import { recordHistory } from '../lib/reconcile/history.ts'

main({
  name: 'repmgr-event',
  help: `repmgr-event NODE_ID EVENT SUCCESS TIME DETAILS [--dry-run]
Records an event of repmgr in the cluster's history. Called by repmgr's event_notification_command.`,
  timeoutMs: 10_000,
  // During a join there is no membership to record it in yet.
  unjoined: EXIT.ok,
  parse([id, event, success, , details]) {
    if (!event || !/^[a-z_]+$/.test(event))
      throw usageError(`expected NODE_ID EVENT SUCCESS TIME DETAILS, got event: ${event ?? 'nothing'}`)
    return { id: Number(id), event, success: success === '1', details: details ?? '' }
  },
  async run({ id, event, success, details }, context, { dryRun }) {
    if (dryRun) process.stdout.write(`${JSON.stringify({ do: 'record', why: `repmgr_${event}` })}\n`)
    else await recordHistory(context, `repmgr_${event}`, details || event, { repmgrId: id, success })
    return EXIT.ok
  },
})
