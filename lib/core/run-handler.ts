import { execQuick } from './exec-quick.ts'
import { paths } from './paths.ts'

/**
 * Runs a handler under its lock, as Consul's watches do: what it says goes to the journal.
 *
 * @param waitS how long it may wait for the lock, in seconds.
 * @returns its exit code; 1 where the lock was not free in time.
 */
export async function runHandler(
  name: string,
  lock: string,
  { waitS, args = [], timeoutMs }: { waitS: number; args?: readonly string[]; timeoutMs: number },
): Promise<number> {
  const underLock = ['flock', '--wait', String(waitS), lock, paths.handler(name), ...args]
  return (await execQuick('systemd-cat', ['--identifier=understudy', ...underLock], timeoutMs)).exitCode
}
