/** Running commands in a machine, or as a client beside the machines. */
import { execa } from 'execa'
import { killTree } from './host.ts'
import { namespacePath, switchNamespace } from './network.ts'

export interface ExecOptions {
  readonly input?: string
  /** 60 s unless told. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** false: a non-zero exit is a result, not an error. */
  readonly reject?: boolean
}

export interface ExecResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** The way into a machine: its init, and a cgroup in it that may hold processes. */
export interface Door {
  /** For messages: which machine. */
  readonly name: string
  readonly pid: number
  readonly cgroup: string
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The command line that runs `argv` inside. The process joins the machine's cgroup, so that it is frozen with the
 * machine, and dies with nsenter, so that nothing goes on running when the caller is killed.
 */
export function enter(
  door: Door,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string[] {
  const variables = {
    PATH: path,
    HOME: '/root',
    LANG: 'C.UTF-8',
    TERM: process.env['TERM'] ?? 'dumb',
    ...env,
  }
  return [
    ...['sh', '-c', 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', 'understudy-lab', door.cgroup],
    ...['nsenter', '--target', String(door.pid), '--all'],
    ...['env', '-i', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ...['setpriv', '--pdeathsig', 'KILL', '--', ...argv],
  ]
}

/** The command line that runs `argv` as a client: the host's files, the lab's network. */
export const enterAsClient = (lab: string, argv: readonly string[]): string[] => [
  ...['nsenter', `--net=${namespacePath(switchNamespace(lab))}`],
  ...['setpriv', '--pdeathsig', 'KILL', '--', ...argv],
]

async function runCommand(
  where: string,
  shown: readonly string[],
  argv: readonly string[],
  options: ExecOptions,
  env: Readonly<Record<string, string>>,
): Promise<ExecResult> {
  const [file = '', ...rest] = argv
  const timeoutMs = options.timeoutMs ?? 60_000
  const subprocess = execa(file, rest, { input: options.input ?? '', env, reject: false })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    if (subprocess.pid !== undefined) killTree(subprocess.pid)
    // A daemon that the command left behind may hold these open for ever.
    subprocess.stdout.destroy()
    subprocess.stderr.destroy()
  }, timeoutMs)
  const result = await subprocess
  clearTimeout(timer)
  const what = `${where}: ${shown.join(' ')}`
  if (timedOut) throw new Error(`no end after ${timeoutMs / 1000} s: ${what}\n${result.stderr}`)
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new Error(`cannot run ${what}`, { cause: result.cause })
  }
  const exitCode = result.exitCode ?? 137
  if (exitCode !== 0 && options.reject !== false) {
    throw new Error(`exit ${exitCode}: ${what}\n${result.stderr || result.stdout}`)
  }
  return { stdout: result.stdout, stderr: result.stderr, exitCode }
}

/** Runs a command inside a machine and gives what it said. */
export const runInside = (
  door: Door,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> => runCommand(`in ${door.name}`, argv, enter(door, argv, options.env), options, {})

/** Runs a command of the host as a client of the lab. */
export const runAsClient = (
  lab: string,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> =>
  runCommand(`as a client of lab ${lab}`, argv, enterAsClient(lab, argv), options, options.env ?? {})
