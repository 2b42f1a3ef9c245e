/**
 * Called by: understudy-rabbitmq.service, as rabbitmq (started by Consul's watches, by the periodic check, by its timer and by
 * `understudy join`).
 * argv: none. stdin: nothing.
 * Exit codes: 0 the broker is a member, or it is for somebody else to go on; 1 a step failed; 64 usage; 75 it took too long.
 */
import { main } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { rabbitmqRun } from '../lib/rabbitmq/reconcile.ts'

const { observe, decide, apply, next } = rabbitmqRun()

main({
  name: 'rabbitmq',
  help: `rabbitmq [--dry-run]
Makes the broker of this machine a member of the cluster of brokers, one machine at a time. Called by
understudy-rabbitmq.service.`,
  // Shorter than the session that holds the lock lives at least.
  timeoutMs: 280_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next,
})
