/**
 * Called by: Consul's watches on `postgresql/primary` and `config`, and `leader-released`, as consul.
 * argv: none. stdin: the watch's JSON, ignored: an event only says "look again".
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 1 one of them failed,
 * 64 usage, 75 deadline.
 */
import { main } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { leadRun } from '../lib/operations/lead.ts'

const { observe, decide, apply, next } = leadRun()

main({
  name: 'lead-changed',
  help: `lead-changed [--dry-run]
Makes everything on this machine follow the primary: the virtual IP, PgBouncer, replication and the service's tag, in the
order in which clients miss them.
Called by Consul's watches on postgresql/primary and config, and by leader-released.`,
  timeoutMs: 25_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: ({ plan }) => next(plan),
})
