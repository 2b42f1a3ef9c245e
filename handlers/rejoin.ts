/**
 * Called by: understudy-rejoin.service, as postgres (started by the start gate, by follow and by the periodic check).
 * argv: none. stdin: nothing.
 * Exit codes: 0 a standby, or nothing to do; 1 failed and 75 undecided, or not due yet after a failure: systemd tries again;
 * 64 usage, 69 unavailable.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT } from '../lib/core/errors.ts'
import { noArguments } from '../lib/core/handler.ts'
import { applyRejoin } from '../lib/postgresql/apply-rejoin.ts'
import { decideRejoin } from '../lib/postgresql/decide-rejoin.ts'
import { observeRejoin } from '../lib/postgresql/observe-rejoin.ts'

main({
  name: 'rejoin',
  help: `rejoin [--dry-run]
Makes a former primary a standby again, by pg_rewind or else by a fresh clone. Called by understudy-rejoin.service.`,
  // As long as a clone may take; each step has its own deadline.
  timeoutMs: 24 * 3600 * 1000,
  parse: noArguments,
  observe: observeRejoin,
  decide: decideRejoin,
  apply: applyRejoin,
  next: ({ plan }) => ({ exitCode: plan.do === 'wait' ? EXIT.retry : EXIT.ok }),
})
