/**
 * Called by: repmgr's and repmgrd's `event_notification_command`, as postgres.
 * argv: %n node id, %e event, %s 1 or 0, %t time, %d details. An unset one arrives as an empty argument.
 * Exit codes (repmgr only logs them): 0 recorded, 64 usage.
 */
import { main } from '../lib/consul/handler.ts'
import { recordHistory } from '../lib/consul/history.ts'
import { EXIT, usageError } from '../lib/core/errors.ts'

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
    return { repmgrId: Number(id), event, success: success === '1', details: details ?? '' }
  },
  observe: async (_context, _run, event) => event,
  decide: ({ event, details, repmgrId, success }) => ({
    do: 'record',
    why: details || event,
    event: `repmgr_${event}`,
    details: { repmgrId, success },
  }),
  apply: ({ event, why, details }, context) => recordHistory(context, event, why, details),
})
