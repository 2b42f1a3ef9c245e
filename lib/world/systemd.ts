import { statSync } from 'node:fs'
import { run, tryRun } from './exec.ts'

/** Asks systemd to start a unit and does not wait for it. A unit that runs already is left alone. */
export async function startUnit(unit: string): Promise<void> {
  await run('systemctl', ['start', '--no-block', unit])
}

/** Starts, stops or restarts a unit and waits until it is done. */
export async function unit(
  verb: 'start' | 'stop' | 'restart' | 'reload' | 'reload-or-restart',
  name: string,
  timeoutMs = 60_000,
): Promise<void> {
  await run('systemctl', [verb, name], { timeoutMs })
}

/** @returns what systemd calls the unit's state: active, inactive, failed, activating, ... */
export async function unitState(name: string): Promise<string> {
  return (await tryRun('systemctl', ['show', '--property=ActiveState', '--value', name])).stdout.trim()
}

/** Since when a unit has been active, in epoch milliseconds, or null where it is not. */
export async function activeSinceMs(name: string): Promise<number | null> {
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
