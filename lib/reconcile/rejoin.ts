import { decideRejoin, type RejoinFacts, type RejoinPlan } from '../decide/rejoin.ts'
import { explain } from '../errors.ts'
import type { Primary } from '../kv.ts'
import { log } from '../log.ts'
import { paths, units } from '../paths.ts'
import type { Reconciler } from '../reconciler.ts'
import { renderConninfo } from '../render/conninfo.ts'
import type { Settings } from '../settings.ts'
import { cloneStandby } from '../world/clone.ts'
import { inspectData, makeStandby, markRewind, unmarkRewind } from '../world/data-directory.ts'
import { run } from '../world/exec.ts'
import { stopHard, unit } from '../world/systemd.ts'
import { observeFollow, observeLineage, restartRepmgrd } from './follow.ts'
import { recordHistory } from './history.ts'

/** A rewind reads the WAL since the divergence and copies what changed. */
const REWIND_MS = 3600 * 1000
const START_MS = 120_000

/** Makes this machine a standby of the primary again: pg_rewind first, else a fresh clone beside the old data. */
export const rejoin: Reconciler<RejoinFacts, RejoinPlan> = {
  name: 'rejoin',

  async observe(context) {
    const { settings } = context
    const seen = await observeFollow(context, 'postgres')
    const { node, leadership, local } = seen
    const lineage = await observeLineage(seen)
    return { node, leadership, local, lineage, ...inspectData(settings.postgresqlVersion) }
  },

  decide: decideRejoin,

  async apply(plan, context) {
    const { settings } = context
    const service = units.postgresql(settings.postgresqlVersion)
    if (plan.do === 'start') return unit('start', service, START_MS)
    if (plan.do !== 'rewind' && plan.do !== 'clone') return

    const started = performance.now()
    let how: string = plan.do
    // Also where it does not run: a start that the gate refuses is tried again and again.
    await stopHard(service)
    if (plan.do === 'rewind') {
      try {
        await rewind(settings, plan.primary)
      } catch (error) {
        log('rejoin', { failed: 'rewind', error: explain(error) })
        how = 'clone, as pg_rewind failed'
      }
    }
    if (how !== 'rewind') await clone(settings, plan.primary)
    await unit('start', service, START_MS)
    await restartRepmgrd()
    await recordHistory(
      context,
      'rejoined',
      `follows ${plan.primary.node} again (${how}, ${Math.round(performance.now() - started)} ms)`,
    )
  },
}

async function rewind(settings: Settings, primary: Primary): Promise<void> {
  const version = settings.postgresqlVersion
  const source = renderConninfo({
    host: primary.address,
    port: primary.port,
    user: 'repmgr',
    dbname: 'postgres',
    passfile: paths.repmgrPassfile,
  })
  markRewind(version)
  await run(
    paths.postgresqlBin(version, 'pg_rewind'),
    [
      `--target-pgdata=${paths.postgresqlData(version)}`,
      `--source-server=${source}`,
      // Debian keeps the configuration elsewhere; the crash recovery before a rewind needs it.
      `--config-file=${paths.postgresqlConfigDirectory(version)}/postgresql.conf`,
    ],
    { timeoutMs: REWIND_MS },
  )
  makeStandby(paths.postgresqlData(version), settings, { host: primary.address, port: primary.port })
  unmarkRewind(version)
}

async function clone(settings: Settings, primary: Primary): Promise<void> {
  const member = { ...settings, port: settings.postgresqlPort, priority: settings.vipPriority }
  await cloneStandby(member, { host: primary.address, port: primary.port }, async () => {}, {})
}
