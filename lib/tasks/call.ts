import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Consul } from '../consul/client.ts'
import { randomName } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { execQuick } from '../core/exec-quick.ts'
import { requireRoot } from '../core/root.ts'
import { requireSettings } from '../core/settings.ts'
import { unitStates } from '../core/systemd.ts'
import { lookForRefusal } from './claim.ts'
import { KILL_MS, KILL_UNIT_MS, timingOf } from './decide-timing.ts'
import { killLocked, lockedUnit } from './locked-unit.ts'
import { taskPaths, taskUnits } from './manifest.ts'
import { type LockCommand, type RunOnceCommand, SHELL } from './options.ts'
import { dropRequest, ENDING_SIGNALS, type RunResult, takeResult, writeRequest } from './request.ts'
import { subjectOf } from './subject.ts'

/** systemd answers in milliseconds; a busy one in seconds. */
const SYSTEMD_MS = 10_000
/** Between two looks at a unit whose end was not reported. */
const LOOK_AGAIN_MS = 500
const KILLED = 'the command was killed: its lock was not confirmed in time, or somebody killed it'

/** Runs a command under its lock, in a unit of its own. @returns how that has ended; the command's own exit code where it was run. */
export async function runUnderLock(command: LockCommand | RunOnceCommand): Promise<RunResult> {
  const settings = requireSettings()
  requireRoot(
    'only root can have systemd kill a command that has lost its lock',
    'put runuser -u USER -- before the command to run it as another user',
  )
  const [program = ''] = command.argv
  if (!isExecutable(program))
    return { exitCode: SHELL.notFound, message: `there is no command ${program}; nothing was run` }
  const subject = subjectOf(command)
  const refusal = await lookForRefusal(new Consul({ prefix: settings.kvPrefix }), subject)
  if (refusal) return { exitCode: refusal.exitCode, message: refusal.why }
  const runId = randomName()
  const unit = taskUnits.run(command.kind, command.name, runId)
  const { cwd, umask, env } = { cwd: process.cwd(), umask: process.umask(), env: process.env }
  writeRequest(runId, { command, cwd, umask, env })
  const locked = lockedUnit(command)
  await runUnit(unit, `understudy ${command.kind} ${command.name}`, runId, [
    `WatchdogSec=${timingOf(subject.ttlS).watchdogMs}ms`,
    ...(locked === null ? [`TimeoutStopSec=${KILL_MS}ms`] : killAtEnd(locked)),
  ])
  if (dropRequest(runId))
    throw new UnderstudyError(EXIT.failed, `systemd did not start ${unit}; nothing was run`)
  const result = takeResult(runId)
  if (result) return result
  // systemd-run also ends when systemd itself is started anew, while the unit runs on.
  while (await isThere(unit)) await pause(LOOK_AGAIN_MS)
  const late = takeResult(runId)
  if (late) return late
  // A person who kills all of the lock's unit also kills what systemd runs at its end.
  if (locked !== null) await killLocked(locked)
  return { exitCode: SHELL.killed, message: KILLED }
}

/** Where a shell would find it. */
function isExecutable(program: string): boolean {
  const paths = program.includes('/')
    ? [program]
    : (process.env['PATH'] ?? '').split(':').map((directory) => join(directory, program))
  return paths.some((path) => {
    try {
      accessSync(path, constants.X_OK)
      return statSync(path).isFile()
    } catch {
      return false
    }
  })
}

/** However the run ends, systemd kills the unit that runs under its lock. The watchdog has killed the rest by then. */
const killAtEnd = (unit: string): string[] => [
  `ExecStopPost=-${taskPaths.runUnit} --end ${unit}`,
  `TimeoutStopSec=${KILL_UNIT_MS}ms`,
]

/** Ends when systemd-run does. */
async function runUnit(
  unit: string,
  description: string,
  runId: string,
  own: readonly string[],
): Promise<void> {
  const properties = [
    'NotifyAccess=main',
    // Until it has the lock.
    'TimeoutStartSec=infinity',
    'WatchdogSignal=SIGKILL',
    'KillMode=control-group',
    ...own,
    // At shutdown it can still give the lock back.
    'After=consul.service',
  ].flatMap((property) => ['--property', property])
  const child = spawn(
    '/usr/bin/systemd-run',
    [
      ...[
        '--quiet',
        '--collect',
        '--pipe',
        '--wait',
        '--service-type=notify',
        `--unit=${unit}`,
        `--description=${description}`,
        ...properties,
      ],
      ...[process.execPath, taskPaths.supervisor, '--supervise', runId],
    ],
    // A terminal's Ctrl-C is for the command, not for who waits for it.
    { stdio: 'inherit', detached: true },
  )
  for (const signal of ENDING_SIGNALS)
    process.on(signal, () => {
      execQuick('/usr/bin/systemctl', ['kill', `--signal=${signal}`, unit], SYSTEMD_MS).catch(() => {})
    })
  await new Promise((resolve) => {
    child.once('error', resolve)
    child.once('exit', resolve)
  })
}

async function isThere(unit: string): Promise<boolean> {
  const state = (await unitStates([unit]).catch(() => null))?.get(unit)
  return state !== 'inactive' && state !== 'failed'
}
