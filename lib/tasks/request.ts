import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import { taskPaths } from './manifest.ts'
import type { LockCommand, RunOnceCommand } from './options.ts'

/** Signals that end a command, and so the run that it is in. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What a transient unit is to run, as its caller would have run it. */
export interface RunRequest {
  command: LockCommand | RunOnceCommand
  cwd: string
  umask: number
  env: NodeJS.ProcessEnv
}

/** How a unit has ended, for its caller. */
export interface RunResult {
  exitCode: number
  /** One sentence where the command was not run, or not to its end. */
  message?: string
}

/** Not in the arguments or the environment of the unit, which everybody may read. */
export function writeRequest(runId: string, request: RunRequest): void {
  writeFileSync(taskPaths.request(runId), JSON.stringify(request), { mode: 0o600, flag: 'wx' })
}

/** @throws where it was taken already, or is not ours. */
export function takeRequest(runId: string): RunRequest {
  const request = JSON.parse(readFileSync(taskPaths.request(runId), 'utf8')) as RunRequest
  rmSync(taskPaths.request(runId))
  return request
}

/** @returns whether it was still there: then the unit was never started. */
export function dropRequest(runId: string): boolean {
  const path = taskPaths.request(runId)
  try {
    rmSync(path)
    return true
  } catch {
    return false
  }
}

export function writeResult(runId: string, result: RunResult): void {
  replaceFile(taskPaths.result(runId), JSON.stringify(result), { mode: 0o600 })
}

/** @returns null where the unit did not live to write it. */
export function takeResult(runId: string): RunResult | null {
  const result = readNote<RunResult>(taskPaths.result(runId))
  rmSync(taskPaths.result(runId), { force: true })
  return result
}
