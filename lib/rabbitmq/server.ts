import { readText } from '../core/atomic-files.ts'
import { unitProperties } from '../core/systemd.ts'
import { rabbitmqUnits } from './manifest.ts'

/**
 * Kills a broker that is starting. A planned stop would wait as long as the broker waits for the others. This process is the same
 * user.
 */
export async function killServer(): Promise<void> {
  const [[, group] = []] = await unitProperties(rabbitmqUnits.server, ['ControlGroup'])
  // Nothing runs, or nothing of its own.
  if (!group?.endsWith(rabbitmqUnits.server)) return
  const pids = readText(`/sys/fs/cgroup${group}/cgroup.procs`)?.trim().split('\n') ?? []
  for (const pid of pids.map(Number).filter((one) => one > 0))
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
}
