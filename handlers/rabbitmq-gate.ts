/**
 * Called by: rabbitmq-server.service before its start, as rabbitmq (ExecStartPre).
 * argv: none. stdin: nothing.
 * Exit codes: 0 the broker may start, also where this machine is no member or has no clustered broker; 64 usage; 75 not now:
 * systemd tries again.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT } from '../lib/core/errors.ts'
import { noArguments } from '../lib/core/handler.ts'
import { keepCookieFor } from '../lib/rabbitmq/cookie.ts'
import { decideBrokerGate } from '../lib/rabbitmq/decide-gate.ts'
import { observeBrokerGate } from '../lib/rabbitmq/observe.ts'

main({
  name: 'rabbitmq-gate',
  help: `rabbitmq-gate [--dry-run]
Lets no clustered broker start without data while the others count on it. Called by rabbitmq-server.service before its
start.`,
  timeoutMs: 20_000,
  unjoined: EXIT.ok,
  parse: noArguments,
  observe: observeBrokerGate,
  decide: decideBrokerGate,
  apply: keepCookieFor,
  next: ({ plan }) => ({ exitCode: plan.do === 'start' ? EXIT.ok : EXIT.retry }),
})
