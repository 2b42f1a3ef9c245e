import { rmSync } from 'node:fs'
import type { Context } from '../consul/handler.ts'
import { recordHistory } from '../consul/history.ts'
import { consulKeys, type Primary } from '../consul/manifest.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { explain } from '../core/errors.ts'
import { run } from '../core/exec.ts'
import { forgetFailure, recordFailure } from '../core/failure.ts'
import { log } from '../core/log.ts'
import type { Settings } from '../core/settings.ts'
import { stopHard, unit } from '../core/systemd.ts'
import { restartRepmgrd } from './apply-follow.ts'
import { type Target, withDatabase } from './client.ts'
import { cloneStandby } from './clone.ts'
import { COPY_OPTIONS, rewindArguments } from './config-copy.ts'
import { dropOutgoing, makeStandby, markRewind, type Upstream, unmarkRewind } from './data-directory.ts'
import { parseHistory } from './decide-lineage.ts'
import type { RejoinPlan } from './decide-rejoin.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { readOffer } from './observe-lineage.ts'
import { endOfWal, readOwnWal } from './observe-own-wal.ts'
import { resumeRestoreCommand } from './restore-command.ts'
import { recordClone } from './starts.ts'

/** How long a rewind may take: it reads the WAL since the divergence and copies what has changed. */
const REWIND_MS = 3600 * 1000
/** How long PostgreSQL may take to start: it replays WAL first. */
const START_MS = 120_000

/** How long the primary may take to say where it left which timeline: as long as for a standby that asks. */
const OFFER_MS = 3000

/** A checkpoint of a new primary, which has replayed most of it; after that the machine is cloned. */
const CHECKPOINT_MS = 60_000

/** Makes this machine a standby again: pg_rewind first, else a fresh clone beside the old data. A failure is counted. */
export async function applyRejoin(plan: RejoinPlan, context: Context): Promise<void> {
  if (plan.do === 'wait') {
    if (plan.failed) recordFailure(postgresqlPaths.rejoinFailed, plan.why, Date.now())
    return
  }
  try {
    await makeMember(plan, context)
    forgetFailure(postgresqlPaths.rejoinFailed)
  } catch (error) {
    recordFailure(postgresqlPaths.rejoinFailed, explain(error), Date.now())
    throw error
  }
}

async function makeMember(plan: RejoinPlan, context: Context): Promise<void> {
  const { settings } = context
  const service = postgresqlUnits.server(settings.postgresqlVersion)
  if (plan.do === 'start') return unit('start', service, START_MS)
  if (plan.do === 'stand-by') {
    await stopHard(service)
    makeStandby(postgresqlPaths.data(settings.postgresqlVersion), settings, null)
    return unit('start', service, START_MS)
  }
  if (plan.do === 'discard') return dropOutgoing(settings.postgresqlVersion)
  if (plan.do !== 'rewind' && plan.do !== 'clone') return

  const started = performance.now()
  let how: string = plan.do
  // Also if it does not run: systemd repeats a start that the start gate refuses.
  await stopHard(service)
  if (plan.do === 'rewind') {
    try {
      await rewind(settings, plan.primary)
    } catch (error) {
      log('rejoin', { failed: 'rewind', error: explain(error) })
      how = 'clone, as pg_rewind failed'
    }
  }
  if (how !== 'rewind') await clone(plan, context)
  await unit('start', service, START_MS)
  await resumeRestoreCommand(settings)
  await restartRepmgrd()
  await recordHistory(
    context,
    'rejoined',
    `this machine follows ${plan.primary.node} again (${how}, ${Math.round(performance.now() - started)} ms)`,
  )
}

async function rewind(settings: Settings, primary: Primary): Promise<void> {
  const version = settings.postgresqlVersion
  const upstream = { host: primary.address, port: primary.port }
  if (await isBeginning(version, upstream))
    return makeStandby(postgresqlPaths.data(version), settings, upstream)
  const database = { host: primary.address, port: primary.port, user: 'repmgr', database: 'repmgr' }
  await readyForRewind(version, database)
  markRewind(version)
  await run(
    postgresqlPaths.bin(version, 'pg_rewind'),
    rewindArguments(version, upstream),
    // The server would notice a silent machine as quickly, and end what is half done.
    { timeoutMs: REWIND_MS, env: { PGOPTIONS: COPY_OPTIONS } },
  )
  makeStandby(postgresqlPaths.data(version), settings, upstream)
  unmarkRewind(version)
}

/**
 * Does the stopped database end before the primary left its timeline, as data that went back in time does? Then it can stream as it
 * is. pg_rewind would first recover it, and write a checkpoint where the primary has something else.
 */
async function isBeginning(version: number, primary: Upstream): Promise<boolean> {
  const { history } = await readOffer(primary, OFFER_MS)
  const own = await readOwnWal(version)
  const fork = parseHistory(history).get(own.timeline)
  return fork !== undefined && (await endOfWal(version, own, fork)).lsn < fork
}

async function clone(
  plan: Extract<RejoinPlan, { do: 'rewind' | 'clone' }>,
  { settings, consul }: Context,
): Promise<void> {
  const { primary } = plan
  const because = plan.do === 'clone' ? plan.because : undefined
  const config = await consul.get(consulKeys.config)
  const onProgress = (text: string): void => {
    replaceFile(postgresqlPaths.copying, `${primary.node}: ${text}\n`)
  }
  const stop = async (): Promise<void> => {}
  const rate = config?.value.copyRate ?? null
  try {
    await cloneStandby(settings, primary, { as: {}, rate, keep: because !== undefined, stop, onProgress })
    if (because === 'damage') recordClone()
  } finally {
    rmSync(postgresqlPaths.copying, { force: true })
  }
}

/**
 * Until its first checkpoint, a new primary looks to pg_rewind as if it were on the old timeline: before PostgreSQL 16 it then says
 * that no rewind is required, and the standby cannot start (commit 009eeee746 of PostgreSQL).
 */
export async function readyForRewind(version: number, primary: Target): Promise<void> {
  if (version < 16) await withDatabase(primary, CHECKPOINT_MS, (connection) => connection.query('checkpoint'))
}
