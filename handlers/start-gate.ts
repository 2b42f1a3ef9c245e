/**
 * Called by: ExecStartPre in a drop-in of postgresql@.service, as root, before every start of PostgreSQL.
 * argv: the unit's instance, "17-main". stdin: nothing.
 * Exit codes: 0 PostgreSQL may start, 1 it must not: the machine is rejoined instead, 64 usage, 75 Consul does not say who
 * is the primary: systemd tries again.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT, usageError } from '../lib/core/errors.ts'
import { applyStartGate } from '../lib/postgresql/apply-start-gate.ts'
import { decideStartGate } from '../lib/postgresql/decide-start-gate.ts'
import { observeStartGate } from '../lib/postgresql/observe-start-gate.ts'

/** Between two looks while Consul does not say who the primary is. */
const LOOK_AGAIN_MS = 500
/** After an attempt to take the lock. */
const TAKEN_MS = 50
/** Shorter than systemd waits for the start of PostgreSQL; systemd then tries again. */
const DEADLINE_MS = 20_000

main({
  name: 'start-gate',
  help: `start-gate VERSION-CLUSTER [--dry-run]
Lets PostgreSQL start as a primary only if Consul says that this machine is the primary. Called by ExecStartPre in
postgresql@.service.`,
  timeoutMs: DEADLINE_MS + 5000,
  // On a machine that has not joined, PostgreSQL is not ours to stop.
  unjoined: EXIT.ok,
  parse(argv) {
    const [, version, cluster] = /^(\d+)-(.+)$/.exec(argv[0] ?? '') ?? []
    if (version === undefined || cluster === undefined)
      throw usageError(`expected VERSION-CLUSTER, got: ${argv[0] ?? 'nothing'}`)
    return { version: Number(version), cluster }
  },
  observe: observeStartGate,
  decide: decideStartGate,
  apply: applyStartGate,
  next({ plan, elapsedMs }) {
    if (plan.do === 'allow' || plan.do === 'nothing') return { exitCode: EXIT.ok }
    if (plan.do === 'refuse') return { exitCode: EXIT.failed }
    if (elapsedMs >= DEADLINE_MS) return { exitCode: EXIT.retry }
    return { lookAgainMs: plan.do === 'lock' ? TAKEN_MS : LOOK_AGAIN_MS }
  },
})
