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
  /** Time of one look as a multiple of `node -e 0`, both on a machine of their own. */
  event: number
}

export const handlers: Readonly<Record<string, Budget>> = {
  check: { kilobytes: 450, event: 3.2 },
  failover: { kilobytes: 400, event: 2.5 },
  'failover-validate': { kilobytes: 400, event: 2.5 },
  fence: { kilobytes: 360, event: 2.5 },
  follow: { kilobytes: 360, event: 2.2 },
  upgrade: { kilobytes: 830, event: 3 },
  'virtual-ip-state': { kilobytes: 150, event: 1.9 },
  'lead-changed': { kilobytes: 370, event: 2.2 },
  pooler: { kilobytes: 355, event: 2.2 },
  rejoin: { kilobytes: 700, event: 2.8 },
  'repmgr-event': { kilobytes: 152, event: 1.9 },
  'service-tag': { kilobytes: 154, event: 1.9 },
  files: { kilobytes: 520, event: 2.0 },
  'files-gate': { kilobytes: 62, event: 1.9 },
  'files-view': { kilobytes: 63, event: 1.9 },
  rabbitmq: { kilobytes: 410, event: 2.2 },
  'rabbitmq-gate': { kilobytes: 58, event: 1.9 },
  'search-members': { kilobytes: 400, event: 2.2 },
  'start-gate': { kilobytes: 575, event: 2.3 },
  services: { kilobytes: 300, event: 2.2 },
  'log-peers': { kilobytes: 80, event: 1.9 },
  'virtual-ip-command': { kilobytes: 74, event: 1.9 },
  'virtual-ip-peers': { kilobytes: 70, event: 1.9 },
  'virtual-ip-weight': { kilobytes: 353, event: 2.2 },
}

/** Handlers that are scripts, as they start in a tenth of the time: files of packaging/, by name. */
export const scripts = {
  'database-changed': 'database-changed.sh',
  'database-check': 'database-check.pl',
  'files-changed': 'files-changed.sh',
  'files-start': 'files-start.sh',
  'leader-released': 'leader-released.sh',
  'locked-unit': 'locked-unit.sh',
  'rabbitmq-changed': 'rabbitmq-changed.sh',
  'rabbitmq-quorum': 'rabbitmq-quorum.sh',
  'search-check': 'search-check.sh',
  'quick-check': 'quick-check.pl',
  'service-check': 'service-check.sh',
  'services-changed': 'services-changed.sh',
  'silent-primary': 'silent-primary.pl',
  watchdog: 'watchdog.sh',
} as const

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
