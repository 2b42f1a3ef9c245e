import { readdirSync, readFileSync } from 'node:fs'

/** The ids of all processes that can be seen here. */
export const processIds = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name))

/** What a process is called, see proc_pid_comm(5); null where it has ended. */
export const commandName = (pid: string): string | null =>
  fromProcess(null, () => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())

/** What is read of a process may be gone with it. */
export function fromProcess<T>(gone: T, read: () => T): T {
  try {
    return read()
  } catch {
    return gone
  }
}
