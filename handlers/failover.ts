/**
 * Called by: understudy-failover.service (started by the watches on the lock and on the service postgresql, by the periodic
 * check and after a start of PostgreSQL) and by repmgrd's `promote_command`, both as postgres.
 * argv: --must-promote from repmgrd, none from the unit. stdin: nothing.
 * Exit codes: 0 settled (with --must-promote: this machine is the primary), 1 with --must-promote: another one is, 64 usage,
 * 75 undecided: try again later.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT, usageError } from '../lib/core/errors.ts'
import { failoverGate } from '../lib/postgresql/failover.ts'

const { observe, decide, apply, next } = failoverGate({ handler: 'failover', deadlineMs: 30_000 })

main({
  name: 'failover',
  help: `failover [--must-promote] [--dry-run]
Passes the promotion gate: promotes this machine, or decides that it must not be promoted. A healthy primary takes back a
lock that it has lost. Called by understudy-failover.service and by repmgrd's promote_command. repmgrd calls it with
--must-promote: then everything but a promotion is a failure.`,
  timeoutMs: 75_000,
  parse(argv) {
    const unknown = argv.find((argument) => argument !== '--must-promote')
    if (unknown !== undefined) throw usageError(`unexpected argument ${unknown}; see failover --help`)
    return { mustPromote: argv.includes('--must-promote') }
  },
  observe,
  decide,
  apply,
  next: ({ plan }, { mustPromote }) =>
    next(plan, (outcome) => {
      if (outcome === 'undecided') return EXIT.retry
      return mustPromote && outcome !== 'primary' ? EXIT.failed : EXIT.ok
    }),
})
