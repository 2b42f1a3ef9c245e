import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { promisify } from 'node:util'
import { EXIT, UnderstudyError } from '../errors.ts'
import { run, tryRun } from './exec.ts'

/**
 * Asks systemd to start or restart a unit and does not wait for it. A unit that runs already is not started again. This is
 * on the way of every failover, so it does without execa, whose import takes half as long as the start of Node.
 */
export async function queueUnit(verb: 'start' | 'restart', unit: string): Promise<void> {
  try {
    await promisify(execFile)('/usr/bin/systemctl', [verb, '--no-block', unit], { timeout: 10_000 })
  } catch (cause) {
    throw new UnderstudyError(EXIT.failed, `could not ${verb} ${unit}`, { cause })
  }
}

/** Starts, stops or restarts a unit and waits until it is done. */
export async function unit(
  verb: 'start' | 'stop' | 'restart' | 'reload' | 'reload-or-restart',
  name: string,
  timeoutMs = 60_000,
): Promise<void> {
  await run('systemctl', [verb, name], { timeoutMs })
}

const STOP_MS = 15_000
const KILLED_MS = 30_000

/** Stops a unit, also one whose processes no longer listen: a database that is to be replaced need not end cleanly. */
export async function stopHard(name: string): Promise<void> {
  try {
    await unit('stop', name, STOP_MS)
  } catch {
    await run('systemctl', ['kill', '--signal=KILL', name])
    await unit('stop', name, KILLED_MS)
  }
}

/** @returns what systemd calls the unit's state: active, inactive, failed, activating, ... */
export async function unitState(name: string): Promise<string> {
  return (await tryRun('systemctl', ['show', '--property=ActiveState', '--value', name])).stdout.trim()
}

/** Since when a unit has been active, in epoch milliseconds, or null where it is not. */
async function activeSinceMs(name: string): Promise<number | null> {
  const said = await run('systemctl', ['show', '--property=ActiveState,ActiveEnterTimestampMonotonic', name])
  const value = (property: string): string => new RegExp(`^${property}=(.*)$`, 'm').exec(said)?.[1] ?? ''
  if (value('ActiveState') !== 'active') return null
  // Both are CLOCK_MONOTONIC: systemd's in microseconds, ours in nanoseconds.
  const ageMs =
    Number(process.hrtime.bigint() / 1_000_000n) - Number(value('ActiveEnterTimestampMonotonic')) / 1000
  return Date.now() - ageMs
}

/** Makes a unit run, now and after every boot, with the configuration that these files hold. */
export async function ensureRunning(name: string, configuration: readonly string[]): Promise<void> {
  await run('systemctl', ['enable', '--quiet', name], { timeoutMs: 30_000 })
  const since = await activeSinceMs(name)
  if (since !== null && configuration.every((file) => statSync(file).mtimeMs < since)) return
  await unit('restart', name)
}
