/**
 * Called by: ExecStartPre in a drop-in of postgresql@.service, as root, before every start of PostgreSQL.
 * argv: the unit's instance, "17-main". stdin: nothing.
 * Exit codes: 0 PostgreSQL may start, 1 it must not: the machine is rejoined instead, 64 usage, 75 Consul does not say who
 * is the primary: systemd tries again.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { UNKNOWN } from '../lib/decide/facts.ts'
import { decideStartGate } from '../lib/decide/start-gate.ts'
import { EXIT, type ExitCode, usageError } from '../lib/errors.ts'
import { dropStartSessions, readSessions, startSession } from '../lib/failover/session.ts'
import { main } from '../lib/handler.ts'
import { kv } from '../lib/kv.ts'
import { log } from '../lib/log.ts'
import { units } from '../lib/paths.ts'
import { known, readLeadership } from '../lib/reconcile/observe.ts'
import type { Context } from '../lib/reconciler.ts'
import { inspectData } from '../lib/world/data-directory.ts'
import { unmarkFenced } from '../lib/world/fence.ts'
import { queueUnit } from '../lib/world/systemd.ts'

const LOOK_AGAIN_MS = 500
const DEADLINE_MS = 20_000
const REFUSED_MS = 4000

async function gate({ settings, consul }: Context, dryRun: boolean): Promise<ExitCode> {
  const started = performance.now()
  let told = ''
  while (performance.now() - started < DEADLINE_MS) {
    const { node, postgresqlVersion } = settings
    const [leadership, sessions] = await Promise.all([
      known(readLeadership(consul)),
      known(readSessions(consul, node)),
    ])
    const { standbySignal } = inspectData(postgresqlVersion)
    const plan = decideStartGate({
      node,
      standbySignal,
      leadership,
      ownSessions: sessions === UNKNOWN ? UNKNOWN : sessions.own,
    })
    if (dryRun) {
      process.stdout.write(`${JSON.stringify(plan)}\n`)
      return EXIT.ok
    }
    if (plan.why !== told) log('start-gate', { ...plan, ms: Math.round(performance.now() - started) })
    told = plan.why
    if (plan.do === 'allow') {
      unmarkFenced()
      return EXIT.ok
    }
    if (plan.do === 'refuse') {
      // A lock that a former look took would keep the primary from its own.
      await known(dropStartSessions(consul, node))
      await queueUnit('start', units.rejoin)
      // systemd tries again at once; rejoin stops that as soon as it has something to do.
      await pause(REFUSED_MS)
      return EXIT.failed
    }
    if (plan.do === 'lock') {
      const value = { schema: 1 as const, node, since: new Date().toISOString(), why: plan.why }
      const session = await known(startSession(consul, node))
      if (session !== UNKNOWN) {
        const taken = await known(consul.acquire(kv.leader, value, session, plan.modifyIndex))
        if (taken === true) continue
      }
    }
    await pause(LOOK_AGAIN_MS)
  }
  return EXIT.retry
}

main({
  name: 'start-gate',
  help: `start-gate VERSION-CLUSTER [--dry-run]
Lets PostgreSQL start as a primary only where Consul says that this machine is it. Called by ExecStartPre.`,
  timeoutMs: DEADLINE_MS + 5000,
  // A machine that has not joined is none of our business.
  unjoined: EXIT.ok,
  parse(argv) {
    const [, version, cluster] = /^(\d+)-(.+)$/.exec(argv[0] ?? '') ?? []
    if (version === undefined || cluster === undefined)
      throw usageError(`expected VERSION-CLUSTER, got: ${argv[0] ?? 'nothing'}`)
    return { version: Number(version), cluster }
  },
  async run({ version, cluster }, context, { dryRun }) {
    if (version !== context.settings.postgresqlVersion || cluster !== 'main') return EXIT.ok
    return gate(context, dryRun)
  },
})
