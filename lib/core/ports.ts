import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { listenersAt, listenersIn, type WantedPort } from './decide-ports.ts'
import { EXIT, UnderstudyError } from './errors.ts'
import { commandName, fromProcess, processIds } from './processes.ts'

/** @throws one sentence where something else than this unit listens on a port that the unit is to listen on. Needs root. */
export function checkPorts(unit: string, wanted: readonly WantedPort[]): void {
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6']
    .filter(existsSync)
    .flatMap((table) => listenersIn(readFileSync(table, 'utf8')))
  for (const one of wanted) {
    for (const inode of listenersAt(listeners, one)) {
      const holders = holdersOf(inode)
      if (holders.some((pid) => isOf(unit, pid))) continue
      throw new UnderstudyError(
        EXIT.config,
        `${nameOf(holders[0])} listens on port ${one.port}, which ${unit} needs on a member; stop it, or give it another port`,
      )
    }
  }
}

/** The processes that have this socket open. */
const holdersOf = (inode: string): string[] => processIds().filter((pid) => hasOpen(pid, `socket:[${inode}]`))

const hasOpen = (pid: string, target: string): boolean =>
  fromProcess(false, () =>
    readdirSync(`/proc/${pid}/fd`).some(
      (fd) => fromProcess('', () => readlinkSync(`/proc/${pid}/fd/${fd}`)) === target,
    ),
  )

const isOf = (unit: string, pid: string): boolean =>
  fromProcess(false, () => readFileSync(`/proc/${pid}/cgroup`, 'utf8').split(/[/\n]/).includes(unit))

/** The kernel knows sockets of which no process that can be seen here has a descriptor. */
const nameOf = (pid: string | undefined): string =>
  pid === undefined ? 'something else' : `${commandName(pid) ?? 'something else'} (process ${pid})`
