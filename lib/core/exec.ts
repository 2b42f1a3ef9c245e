import type { ExecaError, Options, Result } from 'execa'
import { EXIT, UnderstudyError } from './errors.ts'

/** Of what a program wrote, this much is worth repeating. */
const LAST_LINES = 5

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

/**
 * Runs a program that reports on stderr how far it is.
 * @param options.silentMs it is ended where it writes no line for as long; it has no other deadline.
 * @param onLine gets each line. Where it throws, the program is ended.
 * @throws as {@link run}.
 */
export async function runTelling(
  program: string,
  args: readonly string[],
  { silentMs, ...options }: Omit<RunOptions, 'timeoutMs' | 'input'> & { silentMs: number },
  onLine: (line: string) => void,
): Promise<void> {
  const { execa } = await import('execa')
  const child = execa(program, args, {
    ...options,
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    buffer: false,
  })
  const last: string[] = []
  let silent = false
  const timer = setTimeout(() => {
    silent = true
    child.kill()
  }, silentMs)
  try {
    for await (const line of child.iterable({ from: 'stderr' })) {
      timer.refresh()
      last.push(line)
      if (last.length > LAST_LINES) last.shift()
      onLine(line)
    }
  } catch (error) {
    child.kill()
    await child
    throw error
  } finally {
    clearTimeout(timer)
  }
  const { exitCode } = await child
  if (silent) throw new UnderstudyError(EXIT.failed, `${program} has said nothing for ${silentMs / 1000} s`)
  stdoutOf(program, { exitCode: exitCode ?? EXIT.failed, stdout: '', stderr: last.join('\n') })
}

/** What a program printed. @param what names it. @throws with the last lines that it wrote, where it failed. */
export function stdoutOf(what: string, { exitCode, stdout, stderr }: Ran): string {
  if (exitCode === 0) return stdout
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-LAST_LINES).join('\n')
  throw new UnderstudyError(EXIT.failed, `${what} ended with ${exitCode}: ${said}`)
}
