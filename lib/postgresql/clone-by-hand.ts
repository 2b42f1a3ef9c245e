import { setTimeout as pause } from 'node:timers/promises'
import { Consul } from '../consul/client.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readText } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { forgetFailure, readFailure } from '../core/failure.ts'
import type { Settings } from '../core/settings.ts'
import { queueUnit, unitStates } from '../core/systemd.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { withDatabase } from './client.ts'
import { isUnwanted, markUnwanted } from './data-directory.ts'
import { localDatabase, probeLocal, remoteDatabase } from './database.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { observePrimaryLacks } from './observe-damage.ts'
import { readCopySource, SIZES_MS, whyNotCopy } from './observe-room.ts'

/** A database that works answers this in milliseconds. */
const DATABASE_MS = 2000
/** Between two looks at a copy, which reports every second. */
const LOOK_AGAIN_MS = 500
/** systemd repeats the handler after 5 s where it could not decide. */
const IDLE_MS = 20_000
/** A copy that is in place has to be started: it replays what was written meanwhile. */
const START_MS = 300_000

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/**
 * Marks the data of this standby as unwanted, and starts the handler that replaces it.
 * @returns the primary that is copied.
 * @throws one sentence where that may not be, or cannot be; then nothing was changed.
 */
export async function askForClone(settings: Settings): Promise<string> {
  const { node, kvPrefix, postgresqlVersion: version } = settings
  const consul = new Consul({ prefix: kvPrefix })
  const leadership = await readLeadership(consul)
  if (leadership.primary?.node === node || leadership.leader?.value.node === node)
    throw refuse('this machine is the primary, or may be in a moment, and its data is never replaced')
  const primary = currentPrimary(leadership)
  if (primary === null)
    throw new UnderstudyError(
      EXIT.retry,
      'there is no primary to copy at the moment; try again when there is one',
    )
  process.env['PGPASSFILE'] = postgresqlPaths.repmgrPassfile
  const lacks = await observePrimaryLacks({ settings, consul }, leadership)
  if (lacks === UNKNOWN || lacks === null)
    throw new UnderstudyError(
      EXIT.unavailable,
      `${primary.node} does not say what it has; see understudy status`,
    )
  if (lacks)
    throw refuse(
      `${primary.node} lacks what was confirmed, and this machine may have the only copy of it; see understudy status`,
    )
  const source = await withDatabase(remoteDatabase(primary.address, primary.port), SIZES_MS, (connection) =>
    readCopySource(connection, primary.node),
  )
  const refusal = await whyNotCopy(version, source)
  if (refusal !== null) throw refuse(refusal.why)
  markUnwanted(version)
  forgetFailure(postgresqlPaths.rejoinFailed)
  await queueUnit('start', postgresqlUnits.rejoin)
  return primary.node
}

/**
 * Waits until this machine is a standby again.
 * @param tell takes how far the copy is.
 * @throws the first failure.
 */
export async function followClone(
  { postgresqlVersion, postgresqlPort }: Settings,
  tell: (progress: string) => void,
): Promise<void> {
  let placedMs: number | null = null
  let workedMs = performance.now()
  for (;;) {
    const failure = readFailure(postgresqlPaths.rejoinFailed)
    if (failure !== null)
      throw new UnderstudyError(EXIT.failed, `${failure.reason} (it is tried again by itself)`)
    const state = (await unitStates([postgresqlUnits.rejoin])).get(postgresqlUnits.rejoin)
    if (state !== 'inactive' && state !== 'failed') workedMs = performance.now()
    if (isUnwanted(postgresqlVersion) && performance.now() - workedMs > IDLE_MS)
      throw new UnderstudyError(EXIT.failed, 'no copy is made at the moment; see understudy status')
    const copying = readText(postgresqlPaths.copying)
    if (copying !== null) tell(copying.trim())
    if (!isUnwanted(postgresqlVersion)) {
      placedMs ??= performance.now()
      const local = await probeLocal(localDatabase('understudy_monitor', postgresqlPort), DATABASE_MS)
      if (local !== UNKNOWN && local.role !== 'down') return
      if (performance.now() - placedMs > START_MS)
        throw new UnderstudyError(
          EXIT.failed,
          'the copy is in place, but PostgreSQL does not answer; see understudy status',
        )
    }
    await pause(LOOK_AGAIN_MS)
  }
}
