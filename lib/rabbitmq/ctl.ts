import { exists } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { type Ran, stdoutOf, tryRun } from '../core/exec.ts'
import { rabbitmqPaths } from './manifest.ts'

/** A call takes a second where nothing else runs, and up to 12 s on a busy machine; some of them wait for a broker to start. */
const CALL_MS = 90_000

/**
 * Runs one of the broker's commands as the user rabbitmq: this process is that user, or root.
 * @param said a message that makes up for a failure: what was to be done is done already.
 * @returns what it printed. @throws with what it said, where it failed.
 */
export async function brokerCommand(
  program: 'rabbitmqctl' | 'rabbitmq-queues',
  args: readonly string[],
  said?: RegExp,
): Promise<string> {
  const ran = await callBroker(program, args)
  if (ran.exitCode !== 0 && said?.test(ran.stdout + ran.stderr)) return ran.stdout
  return stdoutOf(`${program} ${args[0]}`, ran)
}

async function callBroker(program: string, args: readonly string[]): Promise<Ran> {
  // Erlang does not start where the file is missing, as on a machine that has no clustered broker yet.
  const names = exists(rabbitmqPaths.names) ? { ERL_INETRC: rabbitmqPaths.names } : {}
  const env = { HOME: rabbitmqPaths.home, ...names }
  try {
    // Not the wrapper in /usr/sbin, which hands its arguments to a shell.
    return await tryRun(`${rabbitmqPaths.programs}/${program}`, args, { env, timeoutMs: CALL_MS })
  } catch (cause) {
    throw new UnderstudyError(EXIT.failed, `${program} ${args[0]} did not end in time`, { cause })
  }
}
