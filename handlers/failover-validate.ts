/**
 * Called by: repmgrd's `failover_validation_command`, as postgres, on the candidate that won repmgr's election.
 * argv: %n, the candidate's repmgr id. stdin: nothing. stdout: at most one line, which repmgrd logs.
 * Exit codes: 0 the candidate may be promoted, anything else: repmgrd holds another election later.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT, usageError } from '../lib/core/errors.ts'
import { failoverGate } from '../lib/postgresql/failover.ts'

// The lock is enough: repmgrd calls the handler failover next.
const { observe, decide, apply, next } = failoverGate({
  handler: 'failover-validate',
  deadlineMs: 5000,
  until: 'promote',
})

main({
  name: 'failover-validate',
  help: `failover-validate NODE_ID [--dry-run]
Takes the lock if the promotion gate lets this machine pass. Called by repmgrd's failover_validation_command.`,
  timeoutMs: 10_000,
  parse(argv) {
    const id = Number(argv[0])
    if (!Number.isInteger(id) || id < 1)
      throw usageError(`expected the candidate's repmgr id, got: ${argv[0] ?? 'nothing'}`)
    return id
  },
  async observe(context, _run, id) {
    const { repmgrId } = context.settings
    return { candidate: id, repmgrId, gate: id === repmgrId ? await observe(context) : null }
  },
  decide: ({ candidate, repmgrId, gate }) =>
    gate === null
      ? { do: 'refuse' as const, why: `the candidate is ${candidate}, this machine is ${repmgrId}` }
      : decide(gate),
  apply: async (plan, context) => (plan.do === 'refuse' ? undefined : apply(plan, context)),
  next({ plan }) {
    const after = plan.do === 'refuse' ? { exitCode: EXIT.failed } : next(plan, exitCodeOf)
    if ('exitCode' in after)
      process.stdout.write(`${after.exitCode === EXIT.ok ? 'may be promoted' : 'refused'}\n`)
    return after
  },
})

const exitCodeOf = (outcome: string) => (outcome === 'primary' ? EXIT.ok : EXIT.failed)
