/** The built handlers, run as their callers run them: as a process, with nothing but Node's own modules around. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

export const repository = fileURLToPath(new URL('../../..', import.meta.url))
export const built = join(repository, 'dist/handlers')

/** Every handler with what it may weigh and how long it may take to start. */
export interface Budget {
  /** About 15 % above what it was when this was written: more is an import that somebody should know of. */
  kilobytes: number
  /** Time of --help as a multiple of `node -e 0`. An eager import of pg adds 0.5, one of execa 0.7. */
  start: number
}

export const handlers: Readonly<Record<string, Budget>> = {
  check: { kilobytes: 680, start: 2.1 },
  failover: { kilobytes: 355, start: 1.8 },
  'failover-validate': { kilobytes: 355, start: 1.8 },
  fence: { kilobytes: 680, start: 2.1 },
  follow: { kilobytes: 345, start: 1.8 },
  'virtual-ip-state': { kilobytes: 150, start: 1.6 },
  'lead-changed': { kilobytes: 345, start: 1.8 },
  pooler: { kilobytes: 345, start: 1.8 },
  rejoin: { kilobytes: 680, start: 2.1 },
  'repmgr-event': { kilobytes: 150, start: 1.6 },
  'service-tag': { kilobytes: 150, start: 1.6 },
  files: { kilobytes: 515, start: 1.8 },
  'start-gate': { kilobytes: 155, start: 1.6 },
  'virtual-ip-weight': { kilobytes: 345, start: 1.8 },
}

/** Handlers that are shell scripts, as they start in a tenth of the time: packaging/NAME.sh. */
export const shellHandlers = [
  'database-changed',
  'database-check',
  'files-changed',
  'leader-released',
] as const

/** How a process ended. */
export interface Ended {
  exitCode: number | undefined
  stdout: string
  stderr: string
  ms: number
}

export interface RunOptions {
  input?: string
  cwd?: string
  env?: Readonly<Record<string, string>>
  timeoutMs?: number
}

/** Runs a program with an empty environment, or just this one. At the deadline it is killed, and then it has no exit code. */
export async function run(
  file: string,
  args: readonly string[],
  { input = '', cwd = '/', env = {}, timeoutMs = 30_000 }: RunOptions = {},
): Promise<Ended> {
  const started = performance.now()
  const { exitCode, stdout, stderr } = await execa(file, args, {
    cwd,
    input,
    env,
    extendEnv: false,
    reject: false,
    timeout: timeoutMs,
    // A handler takes SIGTERM for itself.
    killSignal: 'SIGKILL',
  })
  return { exitCode, stdout, stderr, ms: performance.now() - started }
}

/** A temporary directory that holds a copy of the built handlers and nothing else, as /usr/lib/understudy/handlers does. */
export class Installed {
  readonly directory = mkdtempSync(join(tmpdir(), 'understudy-handlers-'))

  constructor() {
    cpSync(built, this.directory, { recursive: true })
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** Runs a handler with the Node that runs the tests, which need not be Debian's. */
  run(name: string, args: readonly string[], options?: RunOptions): Promise<Ended> {
    return run(process.execPath, [this.path(name), ...args], options)
  }

  remove(): void {
    rmSync(this.directory, { recursive: true })
  }
}

/** The log lines on stderr; throws where a line is not a JSON object. */
export const logged = (stderr: string): Record<string, unknown>[] =>
  stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
