import { readFileSync, statSync } from 'node:fs'
import { stdoutOf } from './exec.ts'
import { execQuick } from './exec-quick.ts'
import { keepQuestion } from './questions.ts'
import { sinceBootMs } from './uptime.ts'

/** Queueing a job takes some milliseconds; a busy systemd may take seconds. */
const QUEUE_MS = 10_000
/** It reads all its units again. */
const ENABLE_MS = 30_000
/** systemd answers a question in milliseconds; a busy one may take seconds. */
const ASK_MS = 10_000

/** Asks systemd to start or restart a unit and does not wait for it. A unit that runs already is not started again. */
export async function queueUnit(verb: 'start' | 'restart', name: string): Promise<void> {
  await systemctl([verb, '--no-block', name], QUEUE_MS)
}

/** Starts, stops or restarts a unit and waits until it is done. */
export async function unit(
  verb: 'start' | 'stop' | 'restart' | 'reload' | 'reload-or-restart' | 'try-reload-or-restart',
  name: string,
  timeoutMs = 60_000,
): Promise<void> {
  await systemctl([verb, name], timeoutMs)
}

/** @returns what it printed. @throws what it said, where it failed. */
async function systemctl(args: readonly string[], timeoutMs: number): Promise<string> {
  return stdoutOf(`systemctl ${args.join(' ')}`, await execQuick('/usr/bin/systemctl', args, timeoutMs))
}

/** Stops a unit, which is not started at boot any more either. */
export async function disable(name: string): Promise<void> {
  await systemctl(['disable', '--quiet', '--now', name], 60_000)
}

/** Whether a boot starts these units, from now on. They stay as they are. */
export async function setEnabled(names: readonly string[], enabled: boolean): Promise<void> {
  await systemctl([enabled ? 'enable' : 'disable', '--quiet', ...names], ENABLE_MS)
}

/**
 * Lets every boot start this unit. systemd does not read all its units again for it, which takes longer than most starts: whoever has
 * enabled the last unit calls {@link settleUnits}. The links for SysV init, for which systemctl(1) calls update-rc.d and that has
 * them read twice more, are left out: systemd does not heed them.
 */
async function startAtBoot(name: string): Promise<void> {
  const argv = ['SYSTEMCTL_SKIP_SYSV=1', '/usr/bin/systemctl', 'enable', '--quiet', '--no-reload', name]
  stdoutOf(`systemctl enable ${name}`, await execQuick('/usr/bin/env', argv, ENABLE_MS))
}

/** Lets systemd read its units again if it says that they have changed: it would warn of that, whichever it is asked about. */
export async function settleUnits(): Promise<void> {
  const ask = ['show', '--property=NeedDaemonReload', '--value', 'multi-user.target']
  if ((await systemctl(ask, ASK_MS)).trim() === 'yes') await reloadUnits()
}

/** Lets systemd read its units again. */
export async function reloadUnits(): Promise<void> {
  await systemctl(['daemon-reload'], ENABLE_MS)
}

/** A database that ends cleanly does so by then. */
const STOP_MS = 15_000
/** The kernel may need this long to end a process that waits for a disk. */
const KILLED_MS = 30_000

/** Stops a unit, also one whose processes no longer listen: a database that is to be replaced need not end cleanly. */
export async function stopHard(name: string, stopMs = STOP_MS): Promise<void> {
  try {
    await unit('stop', name, stopMs)
  } catch {
    await systemctl(['kill', '--signal=KILL', name], ASK_MS)
    await unit('stop', name, KILLED_MS)
  }
}

/** Kills the main process of a unit and does not wait for its end: it may wait for a disk. What is left of the unit, systemd ends. */
export async function killUnit(name: string): Promise<void> {
  await systemctl(['kill', '--kill-whom=main', '--signal=KILL', name], ASK_MS)
}

/** Is the main process of a unit stopped, as by SIGSTOP? */
export async function isStopped(name: string): Promise<boolean> {
  const pid = (await systemctl(['show', '--property=MainPID', '--value', name], ASK_MS)).trim()
  keepQuestion('unit', name)
  keepQuestion('process', pid)
  try {
    // proc_pid_stat(5): the state follows the name in parentheses.
    return /\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    // It has just ended, or does not run.
    return false
  }
}

/** What systemd calls the states of these units: active, inactive, failed, activating, ... By the names they were asked by. */
export async function unitStates(names: readonly string[]): Promise<Map<string, string>> {
  for (const name of names) keepQuestion('unit', name)
  const said = await systemctl(['show', '--property=ActiveState', '--value', ...names], ASK_MS)
  // One value for each unit, in their order, with an empty line between two.
  const states = said.trim().split(/\n+/)
  return new Map(names.map((name, index) => [name, states[index] ?? '']))
}

/** The values of some properties of several units, in the order of the properties. By the names they were asked by. */
export async function showUnits(
  names: readonly string[],
  properties: readonly string[],
): Promise<Map<string, string[]>> {
  for (const name of names) keepQuestion('unit', name)
  const said = await systemctl(['show', `--property=${properties.join(',')}`, '--', ...names], ASK_MS)
  // One part for each unit, in their order; systemd chooses the order of the properties.
  const parts = said.split(/\n\n/)
  const valueIn = (part: string, property: string): string =>
    new RegExp(`^${property}=(.*)$`, 'm').exec(part)?.[1] ?? ''
  return new Map(
    names.map((name, index) => [name, properties.map((property) => valueIn(parts[index] ?? '', property))]),
  )
}

/** Properties of a unit, in systemd's order. One that is a list may be there more than once. */
export async function unitProperties(
  name: string,
  properties: readonly string[],
): Promise<[property: string, value: string][]> {
  const said = await systemctl(['show', `--property=${properties.join(',')}`, name], ASK_MS)
  return [...said.matchAll(/^(\w+)=(.*)$/gm)].map(([, property = '', value = '']) => [property, value])
}

/**
 * Since when a unit has been active, in epoch milliseconds, or null where it is not.
 * @param since `reload`: since it was last started or reloaded.
 */
async function activeSinceMs(name: string, since: 'restart' | 'reload'): Promise<number | null> {
  const timestamp = since === 'restart' ? 'ActiveEnterTimestampMonotonic' : 'StateChangeTimestampMonotonic'
  const said = await systemctl(['show', `--property=ActiveState,${timestamp}`, name], ASK_MS)
  const value = (property: string): string => new RegExp(`^${property}=(.*)$`, 'm').exec(said)?.[1] ?? ''
  if (!['active', 'reloading'].includes(value('ActiveState'))) return null
  // Both are CLOCK_MONOTONIC: systemd's in microseconds, ours in nanoseconds.
  const ageMs = sinceBootMs() - Number(value(timestamp)) / 1000
  return Date.now() - ageMs
}

/**
 * Makes a unit run, now and after every boot, with the configuration that these files hold.
 * @param how it takes a configuration that has changed; one that does not run is started.
 * @param timeoutMs how long its start may take.
 */
export async function ensureRunning(
  name: string,
  configuration: readonly string[],
  how: 'restart' | 'reload' = 'restart',
  timeoutMs?: number,
): Promise<void> {
  await startAtBoot(name)
  const since = await activeSinceMs(name, how)
  if (since !== null && configuration.every((file) => statSync(file).mtimeMs < since)) return
  await unit(since === null ? 'restart' : how, name, timeoutMs)
}
