/**
 * Called by: understudy-services.service, as root (started by the watch on `services`, keepalived's notify, `lead-changed`, the fence
 * and the periodic check; systemd never runs it twice at the same time).
 * argv: none. stdin: nothing.
 * Exit codes (of the unit): 0 done or nothing to do (also where Consul does not answer), 1 a unit could not be stopped or set up,
 * 64 usage, 69 Consul was lost on the way, 75 deadline.
 */
import { main } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { servicesRun } from '../lib/services/run.ts'

const { observe, decide, apply, next } = servicesRun()

main({
  name: 'services',
  help: `services [--dry-run]
Starts, stops and registers the operator's services on this machine. Called by understudy-services.service.`,
  timeoutMs: 90_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next,
})
