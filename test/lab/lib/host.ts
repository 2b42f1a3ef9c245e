/** What the lab needs of the host: deadlines, process identities, locks. */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { execa } from 'execa'

/** A process id together with its start time, so that a reused id is never mistaken for ours. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTicks: string
}

/** The fields of /proc/PID/stat after the command name, which may itself hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** The identity of a running process, or undefined when there is none (a zombie counts as gone). */
export function identify(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid)
  const startTicks = fields?.[19]
  return startTicks === undefined || fields?.[0] === 'Z' ? undefined : { pid, startTicks }
}

/** Whether exactly this process still runs. */
export function isRunning(identity: ProcessIdentity | undefined): identity is ProcessIdentity {
  return identity !== undefined && identify(identity.pid)?.startTicks === identity.startTicks
}

/** Sends SIGKILL if, and only if, the id still belongs to the process that was recorded. */
export function killHard(identity: ProcessIdentity | undefined): void {
  if (!isRunning(identity)) return
  try {
    process.kill(identity.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The direct children of a process. /proc/PID/task/PID/children is not in every kernel. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => candidate > 0 && statFields(candidate)?.[1] === String(pid))
}

/**
 * Ends a process and all that came from it, the youngest first: nsenter reaps what it started only while it lives,
 * and a zombie that nobody reaps would keep a whole machine from ending.
 */
export function killTree(pid: number): void {
  const children = childrenOf(pid)
  for (const child of children) killTree(child)
  if (children.length === 0 || !isReaper(pid)) killHard(identify(pid))
}

/** Whether a process is an nsenter waiting for its child: it ends by itself, after its child. */
function isReaper(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'nsenter\n'
  } catch {
    return false
  }
}

/** Asks `probe` again and again until it gives something other than undefined, at most `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const result = await probe()
    if (result !== undefined) return result
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`)
    await pause(20)
  }
}

/** Runs a host program; a failure names the command line and what the program said. */
export async function run(argv: readonly string[], input = '', timeoutMs = 60_000): Promise<string> {
  const [file = '', ...rest] = argv
  const result = await execa(file, rest, { input, timeout: timeoutMs, reject: false })
  if (result.failed) {
    const why = result.timedOut ? `no answer in ${timeoutMs / 1000} s` : result.stderr || result.shortMessage
    throw new Error(`failed: ${argv.join(' ')}: ${why}`)
  }
  return result.stdout
}

/**
 * Does `work` while holding an exclusive lock on a file. flock(1) holds it, in a child that ends with its stdin:
 * the lock cannot outlive this process, however it dies.
 */
export async function withLock<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true })
  const script = 'echo held; exec cat >/dev/null'
  const holder = spawn('flock', ['--wait', String(timeoutMs / 1000), path, 'sh', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C reaches us first; the lock is given back when our end of the pipe closes
  })
  const ended = new Promise<void>((resolve) => {
    holder.once('close', () => resolve())
  })
  try {
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve())
      holder.once('error', reject)
      holder.once('exit', () =>
        reject(new Error(`${path} is still locked by another process after ${timeoutMs / 1000} s`)),
      )
    })
    return await work()
  } finally {
    holder.stdin.end()
    await ended
  }
}
