/**
 * Called by: repmgrd's `failover_validation_command`, as postgres, on the candidate that won repmgr's election.
 * argv: %n, the candidate's repmgr id. stdin: nothing. stdout: at most one line, which repmgrd logs.
 * Exit codes: 0 the candidate may be promoted, anything else: repmgrd holds another election later.
 */
import { EXIT, usageError } from '../lib/errors.ts'
import { runFailover, showFailover } from '../lib/failover/run.ts'
import { main } from '../lib/handler.ts'

main({
  name: 'failover-validate',
  help: `failover-validate NODE_ID [--dry-run]
Takes the lock if the gate lets this machine pass. Called by repmgrd's failover_validation_command.`,
  timeoutMs: 10_000,
  parse(argv) {
    const id = Number(argv[0])
    if (!Number.isInteger(id) || id < 1)
      throw usageError(`expected the candidate's repmgr id, got: ${argv[0] ?? 'nothing'}`)
    return id
  },
  async run(id, context, { dryRun }) {
    if (id !== context.settings.repmgrId) return EXIT.failed
    if (dryRun) return showFailover(context)
    const outcome = await runFailover('failover-validate', context, 5000, 'promote')
    process.stdout.write(`${outcome === 'primary' ? 'may be promoted' : 'refused'}\n`)
    return outcome === 'primary' ? EXIT.ok : EXIT.failed
  },
})
