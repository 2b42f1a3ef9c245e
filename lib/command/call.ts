import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { EXIT, UnderstudyError } from '../core/errors.ts'

/** What the program wrote last may arrive a moment after its end. */
const REST_MS = 200

/**
 * Runs a program in a process group of its own, and ends all of it at the deadline. What it prints goes to the journal.
 * @throws with its last lines, where it fails or does not end in time.
 */
export async function callProgram(
  program: string,
  args: readonly string[],
  { env, timeoutMs }: { env: Readonly<Record<string, string>>; timeoutMs: number },
): Promise<void> {
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...env },
  })
  let said = ''
  child.stderr.on('data', (part: Buffer) => {
    process.stderr.write(part)
    said = (said + part.toString()).slice(-1000)
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  let late = false
  const timer = setTimeout(() => {
    late = true
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }, timeoutMs)
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`))
    child.once('exit', (code, signal) => resolve(code === 0 ? '' : `ended with ${code ?? signal}`))
  })
  clearTimeout(timer)
  if (how === '' && !late) return
  // A process that it has left behind may keep the pipe open.
  await Promise.race([closed, pause(REST_MS)])
  const why = late ? `did not end within ${timeoutMs / 1000} s` : how
  throw new UnderstudyError(
    EXIT.failed,
    `${program} ${why}${said.trim() && `: ${said.trim().split('\n').at(-1)}`}`,
  )
}
