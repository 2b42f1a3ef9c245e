import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { KILL_MS } from './decide-timing.ts'

/** Between two looks at what is left: the kernel ends most processes at once. */
const LOOK_AGAIN_MS = 5

/** The file that names the processes of the unit that this process runs in. @throws where the host has no cgroup v2. */
export function findProcesses(): string {
  const path = /^0::(\/.+)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  if (path === undefined)
    throw new UnderstudyError(
      EXIT.config,
      'this needs the unified cgroup hierarchy (cgroup v2), which this machine does not use',
    )
  return `/sys/fs/cgroup${path}/cgroup.procs`
}

const others = (processes: string): number[] =>
  readFileSync(processes, 'utf8')
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)

/**
 * Kills every other process of the unit, whatever session or process group it has put itself in.
 * @returns false where some of it does not end in time: it waits for a disk, for example.
 */
export async function killOthers(processes: string): Promise<boolean> {
  const deadlineMs = performance.now() + KILL_MS
  for (;;) {
    const pids = others(processes)
    if (pids.length === 0) return true
    if (performance.now() > deadlineMs) return false
    for (const pid of pids) kill(pid)
    await pause(LOOK_AGAIN_MS)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
