/**
 * Called by: the periodic check and people; `lead-changed` does the same work. As consul.
 * argv: none. stdin: nothing.
 * Exit codes (Consul only logs them): 0 done or nothing to do (also where Consul does not answer), 64 usage, 75 deadline.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { serviceTag } from '../lib/consul/service-tag.ts'
import { noArguments } from '../lib/core/handler.ts'

const { name, observe, decide, apply } = serviceTag

main({
  name,
  help: `service-tag [--dry-run]
Tags this machine's postgresql service in Consul with its role. primary.postgresql.service.consul then resolves to the
primary. Called by the periodic check. lead-changed does the same work.`,
  timeoutMs: 20_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
