/**
 * Called by: the periodic check, understudy-withdraw.service and people; `lead-changed` does the same work. As consul.
 * argv: none. stdin: nothing.
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 64 usage, 75 deadline.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { pooler } from '../lib/pooler/reconciler.ts'

const { name, observe, decide, apply } = pooler

main({
  name,
  help: `pooler [--dry-run]
Points this machine's PgBouncer at the primary. While there is no primary, PgBouncer holds its clients back.
Called by the periodic check and by understudy-withdraw.service. lead-changed does the same work.`,
  timeoutMs: 20_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
