/**
 * Called by: Consul's service check `understudy` every 15 s, as consul. Catches what an event missed.
 * argv: none. stdin: nothing. stdout: what is not as it should be; constant while nothing changes. What concerns files is said in
 * a check of its own, `files`.
 * Exit codes, as Consul understands them: 0 passing, 1 warning, anything else critical.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { currentPrimary, UNKNOWN } from '../lib/decide/facts.ts'
import { awayProblems, filesProblems, stillAway, whyLookAgain } from '../lib/decide/files-check.ts'
import { EXIT, explain, UnderstudyError } from '../lib/errors.ts'
import { readAway, writeAway } from '../lib/files/away.ts'
import { observeFiles } from '../lib/files/observe.ts'
import { readReport } from '../lib/files/report.ts'
import { main, noArguments } from '../lib/handler.ts'
import { paths, units } from '../lib/paths.ts'
import { mayNeedFollow, observeFollow } from '../lib/reconcile/follow.ts'
import { trimHistory } from '../lib/reconcile/history.ts'
import { pgbouncer } from '../lib/reconcile/pgbouncer.ts'
import { serviceTag } from '../lib/reconcile/service-tag.ts'
import { vipState } from '../lib/reconcile/vip-state.ts'
import { vipWeight } from '../lib/reconcile/vip-weight.ts'
import type { Context, Plan, Reconciler } from '../lib/reconciler.ts'
import type { Consul } from '../lib/world/consul.ts'
import { readFailure } from '../lib/world/failure.ts'
import { runHandler } from '../lib/world/handlers.ts'
import { localSyncthing, replicatesFiles } from '../lib/world/syncthing.ts'
import { queueUnit, unitState } from '../lib/world/systemd.ts'

const REPAIR_MS = 10_000

/** Where a reconciler has something to do, runs its handler under its lock. @returns what a person should know, or null. */
async function repair<Facts, P extends Plan>(
  work: Reconciler<Facts, P>,
  context: Context,
  dryRun: boolean,
): Promise<string | null> {
  try {
    const plan = work.decide(await work.observe(context))
    if (plan.do === 'nothing') return null
    if (!dryRun) {
      const lock = paths.lock(work.name === 'keepalived-notify' ? work.name : 'lead')
      const code = await runHandler(work.name, lock, { waitS: 5, timeoutMs: REPAIR_MS })
      if (code !== 0)
        throw new UnderstudyError(EXIT.failed, `ended with ${code}, see journalctl -t understudy`)
    }
    return `${work.name}: ${plan.do}, ${plan.why}`
  } catch (error) {
    return `${work.name}: ${explain(error)}`
  }
}

/** Consul looks for members that it has lost every 30 s only: a machine that was cut off would be back as late as that. */
async function findMembers(consul: Consul): Promise<void> {
  const members = await consul.members().catch(() => [])
  const lost = members.filter(({ alive }) => !alive)
  await Promise.all(lost.map(({ address }) => consul.join(address).catch(() => {})))
}

/** Starts the units that hold the lock, fence, follow and rejoin, where they have something to do. */
async function repairDatabase(context: Context, dryRun: boolean): Promise<string | null> {
  const facts = await observeFollow(context, 'understudy_monitor')
  const start = async (unit: string): Promise<void> => (dryRun ? undefined : queueUnit('start', unit))
  const runs = facts.local !== UNKNOWN && facts.local.role !== 'down'
  const leads = facts.local !== UNKNOWN && facts.local.role === 'primary'
  if (facts.leadership === UNKNOWN) {
    if (leads) await start(units.fence)
    if (!dryRun) await findMembers(context.consul)
    return 'Consul does not answer, failover is suspended'
  }
  const { leader, primary } = facts.leadership
  const current = currentPrimary(facts.leadership)
  // A lock of ours is looked after whoever is published: a run that was killed may have left it.
  const ours = [primary?.node, leader?.value.node].includes(facts.node)
  if (primary && (!leader?.session || ours)) await start(units.failover)
  if (primary?.node === facts.node && !runs) await start(units.rejoin)
  if (primary && !current) {
    if (leads) await start(units.fence)
    return leader?.session
      ? `${leader.value.node} holds the lock, but is not published`
      : 'nobody holds the lock'
  }
  const why = mayNeedFollow(facts)
  if (why !== null) await start(units.follow)
  return why ?? (runs ? null : 'PostgreSQL does not answer')
}

/** What a rejoin fails on needs a person, if it goes on. */
function checkRejoin(): string | null {
  const failed = readFailure(paths.rejoinFailed)
  return failed && `rejoin has failed ${failed.count} times since ${failed.since}: ${failed.reason}`
}

/** For each question to Syncthing, and for all that concerns files. */
const SYNCTHING_MS = 2000
const FILES_MS = 4000

/**
 * Says in a check of its own how the replicated folders are, so that a conflict of files hides nothing else. Starts the unit that
 * brings them into line where that is due; what it cannot do, it has written down.
 */
async function checkFiles({ consul }: Context, dryRun: boolean): Promise<void> {
  if (!replicatesFiles()) return
  const problems = await lookAtFiles(consul, dryRun).catch((error: unknown) => [explain(error)])
  const said = problems.join('; ') || 'as it should be'
  if (dryRun) process.stdout.write(`files: ${said}\n`)
  else await consul.setCheck('files', problems.length === 0 ? 'passing' : 'warning', said)
}

async function lookAtFiles(consul: Consul, dryRun: boolean): Promise<string[]> {
  const report = readReport()
  const [{ folders, connected }, members] = await Promise.all([
    observeFiles(localSyncthing(SYNCTHING_MS)),
    consul.members().catch(() => null),
  ])
  const nowMs = Date.now()
  const alive = members && new Set(members.flatMap((member) => (member.alive ? [member.name] : [])))
  const away = stillAway(readAway(), connected, alive ?? new Set(connected.keys()), nowMs)
  if (!dryRun) {
    writeAway(away)
    if (whyLookAgain(report, folders, nowMs) !== null) await queueUnit('start', units.files)
  }
  return [...filesProblems(report, folders), ...awayProblems(away, nowMs)]
}

async function checkUnits(): Promise<string | null> {
  const watched: string[] = [units.pgbouncer, units.keepalived, units.repmgrd]
  if (replicatesFiles()) watched.push(units.syncthing)
  const states = await Promise.all(watched.map(unitState))
  const down = watched.filter(
    (_unit, index) => !['active', 'activating', 'reloading'].includes(states[index] ?? ''),
  )
  return down.length > 0 ? `not running: ${down.join(', ')}` : null
}

/** What a person should know of this machine, after everything that differs was repaired, or its repair was started. */
async function look(context: Context, dryRun: boolean): Promise<string[]> {
  const problems = await Promise.all([
    // First: of several lines only the first is shown by the status.
    checkRejoin(),
    repair(vipWeight, context, dryRun),
    repair(serviceTag, context, dryRun),
    repair(pgbouncer, context, dryRun),
    repair(vipState(null), context, dryRun),
    repairDatabase(context, dryRun).catch(explain),
    checkUnits().catch(explain),
  ])
  return problems.filter((problem) => problem !== null)
}

/** A repair takes some seconds; what is right by then need not be reported until the next run. */
const LOOK_AGAIN_MS = 3000

main({
  name: 'check',
  help: `check [--dry-run]
Compares this machine with what the cluster wants, repairs what differs and reports what stays. Called by Consul every 15 s.`,
  timeoutMs: 13_000,
  parse: noArguments,
  async run(_event, context, { dryRun }) {
    const started = performance.now()
    let problems = await look(context, dryRun)
    if (problems.length > 0 && !dryRun && performance.now() - started < LOOK_AGAIN_MS) {
      await pause(LOOK_AGAIN_MS)
      problems = await look(context, dryRun)
    }
    if (!dryRun) await trimHistory(context).catch(() => {})
    process.stdout.write(`${problems.join('\n') || 'as it should be'}\n`)
    // Last, and not for long: a slow Syncthing must not cost the database its check.
    await Promise.race([
      checkFiles(context, dryRun).catch(() => {}),
      pause(FILES_MS, undefined, { ref: false }),
    ])
    return problems.length > 0 ? EXIT.failed : EXIT.ok
  },
})
