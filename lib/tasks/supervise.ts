import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { Consul } from '../consul/client.ts'
import { EXIT, explain, UnderstudyError, usageError } from '../core/errors.ts'
import { requireSettings } from '../core/settings.ts'
import { unitStates } from '../core/systemd.ts'
import { type Unknown, unknownOnFailure } from '../core/unknown.ts'
import { findProcesses, killOthers } from './cgroup.ts'
import { claim, type HeldKey, patiently } from './claim.ts'
import { decideKeep } from './decide-keep.ts'
import { KILL_UNIT_MS, REQUEST_MS, type Timing, timingOf } from './decide-timing.ts'
import { killLocked, lockedUnit } from './locked-unit.ts'
import type { Lock, TaskRecord } from './manifest.ts'
import { SHELL } from './options.ts'
import { dropOutcome, keepOutcome } from './outbox.ts'
import { ENDING_SIGNALS, type RunRequest, type RunResult, takeRequest, writeResult } from './request.ts'
import { digestOf, type Subject, subjectOf } from './subject.ts'

const NOTIFY = '/usr/bin/systemd-notify'
/** Between two looks whether the holder before may still run something. */
const QUIET_MS = 100
/** Between two questions to a Consul that does not answer: the watchdog leaves time for several. */
const ASK_AGAIN_MS = 500

/** The main process of the unit in which a command runs: holds the key, confirms it to systemd's watchdog, and gives it back. */
export async function supervise(runId: string): Promise<number> {
  const request = takeRequest(runId)
  const result = await superviseRequest(runId, request).catch(
    (error: unknown): RunResult => ({
      exitCode: error instanceof UnderstudyError ? error.exitCode : EXIT.failed,
      message: explain(error),
    }),
  )
  writeResult(runId, result)
  return result.exitCode
}

async function superviseRequest(runId: string, { command, cwd, umask, env }: RunRequest): Promise<RunResult> {
  const { node, kvPrefix } = requireSettings()
  const subject = subjectOf(command)
  const timing = timingOf(subject.ttlS)
  if (process.env['WATCHDOG_USEC'] !== String(timing.watchdogMs * 1000))
    throw usageError('this is started by understudy lock and once only, under a watchdog of systemd')
  const processes = findProcesses()
  process.umask(umask)
  process.chdir(cwd)
  // Systemd sends these to the command as well: it decides whether it ends.
  let ended = false
  for (const signal of ENDING_SIGNALS) process.on(signal, () => (ended = true))

  const consul = new Consul({ prefix: kvPrefix, timeoutMs: REQUEST_MS })
  const holder = { node, run: runId, since: new Date().toISOString() }
  const claimed = await claim(consul, subject, holder, () => ended)
  if ('do' in claimed) return { exitCode: claimed.exitCode, message: claimed.why }
  const { session, entry, quietUntilMs } = claimed
  const epoch = entry.modifyIndex

  let phase: 'before' | 'running' | 'after' = 'before'
  let isLost = false
  await notify('--ready')
  void keep(
    consul,
    subject,
    claimed,
    timing,
    () => phase !== 'after',
    async (why) => {
      isLost = true
      await killOthers(processes)
      const [exitCode, what] = phase === 'before' ? [EXIT.retry, 'not run'] : [SHELL.killed, 'killed']
      writeResult(runId, { exitCode, message: `${why}; the command was ${what}` })
      process.exit(exitCode)
    },
  )
  while (!ended && performance.now() < quietUntilMs) await pause(QUIET_MS)
  // Nothing is started on an old answer.
  for (let { askedMs } = claimed; !ended && performance.now() - askedMs > timing.requestMs; ) {
    const nowMs = performance.now()
    if ((await holds(consul, subject, session)) === true) askedMs = nowMs
    else await pause(QUIET_MS)
  }
  if (isLost) return new Promise(() => {})
  if (ended) {
    phase = 'after'
    // As it was taken: who held it before may still run something.
    await giveBack(consul, subject, entry.value, session)
    return { exitCode: EXIT.retry, message: 'it was stopped before the command started' }
  }
  phase = 'running'
  const result = await runCommand(command.argv, { ...env, UNDERSTUDY_LOCK_EPOCH: String(epoch) })
  // What has lost its key is killed, and its outcome stays unknown.
  if (isLost) return new Promise(() => {})
  const value = subject.ended(entry.value, epoch, result.exitCode)
  if (command.kind === 'once')
    keepOutcome(runId, { name: command.name, digest: digestOf(command.key), outcome: value as TaskRecord })
  const isGone = (await killOthers(processes)) && (await isEnded(command))
  if (isLost) return new Promise(() => {})
  phase = 'after'
  if (!isGone)
    return {
      ...result,
      message: 'processes that the command left behind do not end, so the lock is not released',
    }
  // The watchdog may end this process from here on.
  writeResult(runId, result)
  if (await giveBack(consul, subject, value, session)) dropOutcome(runId)
  else
    result.message ??=
      command.kind === 'once'
        ? 'the command has ended, but Consul has not confirmed that; this machine keeps the outcome and reports it later'
        : 'the command has ended, but Consul has not confirmed that; the lock becomes free by itself'
  return result
}

/** Kills the unit that has run under the lock, where there is one. @returns false where some of it does not end in time. */
async function isEnded(command: RunRequest['command']): Promise<boolean> {
  const unit = lockedUnit(command)
  if (unit === null) return true
  await killLocked(unit)
  for (const deadlineMs = performance.now() + KILL_UNIT_MS; performance.now() < deadlineMs; ) {
    const state = (await unitStates([unit]).catch(() => null))?.get(unit)
    if (state === 'inactive' || state === 'failed') return true
    await pause(QUIET_MS)
  }
  return false
}

/** @returns whether Consul knows now how the run has ended. */
async function giveBack(
  consul: Consul,
  { key }: Subject,
  value: Lock | TaskRecord,
  session: string,
): Promise<boolean> {
  const released = await patiently(() => consul.release(key, value, session)).catch(() => false)
  if (released) await consul.destroySession(session).catch(() => {})
  return released
}

/** Does this run still hold its key? By a consistent read. */
const holds = (consul: Consul, { key }: Subject, session: string): Promise<boolean | Unknown> =>
  unknownOnFailure(consul.get(key).then((entry) => entry?.session === session))

/** Confirms the key while `goesOn` says so. @param lost is called once, when something else has it or nobody can say. */
async function keep(
  consul: Consul,
  subject: Subject,
  { session, askedMs: claimedMs }: HeldKey,
  timing: Timing,
  goesOn: () => boolean,
  lost: (why: string) => void,
): Promise<void> {
  for (let confirmedMs = claimedMs; ; ) {
    const askedMs = performance.now()
    consul.renewSession(session).catch(() => {})
    const ours = await holds(consul, subject, session)
    if (!goesOn()) return
    const plan = decideKeep({ ours, askedMs, answeredMs: performance.now(), confirmedMs, timing })
    if (plan === 'lose')
      return lost(
        ours === false
          ? 'the lock was lost'
          : `Consul has not confirmed the lock for ${timing.watchdogMs / 1000} s`,
      )
    if (plan === 'confirm') {
      confirmedMs = askedMs
      notify('WATCHDOG=1').catch(() => {})
    }
    await pause(plan === 'confirm' ? timing.everyMs : ASK_AGAIN_MS)
  }
}

/** Speaks to systemd as this process does, which systemd-notify(1) may pretend to be. @throws where it fails. */
function notify(what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(NOTIFY, [what], { stdio: 'ignore' })
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new UnderstudyError(EXIT.failed, `${NOTIFY} ${what} has failed`)),
    )
  })
}

function runCommand([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: 'inherit' })
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({
        exitCode: error.code === 'ENOENT' ? SHELL.notFound : SHELL.notExecutable,
        message: `could not run ${program}: ${error.message}`,
      }),
    )
    child.once('exit', (code, signal) =>
      resolve({ exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
    )
  })
}
