import type { ExecaError, Options, Result } from 'execa'
import { EXIT, UnderstudyError } from './errors.ts'

export interface RunOptions {
  /** Deadline; the program is killed at it. */
  timeoutMs?: number
  input?: string
  env?: Readonly<Record<string, string>>
  /** Run as this user's id and group id. */
  uid?: number
  gid?: number
}

export interface Ran {
  exitCode: number
  stdout: string
  stderr: string
}

/**
 * Runs a program without a shell and gives its exit code as a value.
 * @throws only where it could not be started or did not end before the deadline.
 */
export async function tryRun(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  // Loaded late: a handler that has nothing to run does not pay for it.
  const { execa } = await import('execa')
  const { timeoutMs = 10_000, ...rest } = options
  const settings: Options = {
    ...rest,
    timeout: timeoutMs,
    reject: false,
    stdin: rest.input === undefined ? 'ignore' : 'pipe',
  }
  const result = (await execa(program, args, settings)) as Result & Partial<ExecaError>
  if (result.exitCode === undefined) {
    throw new UnderstudyError(EXIT.failed, result.shortMessage ?? `could not run ${program}`, {
      cause: result.cause,
    })
  }
  return {
    exitCode: result.exitCode,
    stdout: String(result.stdout ?? ''),
    stderr: String(result.stderr ?? ''),
  }
}

/** As {@link tryRun}, but a non-zero exit code is an error that carries the last lines the program wrote, not its arguments. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return stdoutOf(program, await tryRun(program, args, options))
}

/** What a program printed. @param what names it. @throws with the last lines that it wrote, where it failed. */
export function stdoutOf(what: string, { exitCode, stdout, stderr }: Ran): string {
  if (exitCode === 0) return stdout
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-5).join('\n')
  throw new UnderstudyError(EXIT.failed, `${what} ended with ${exitCode}: ${said}`)
}
