import { execQuick } from '../core/exec-quick.ts'
import { KILL_UNIT_MS } from './decide-timing.ts'
import { taskPaths } from './manifest.ts'
import type { LockCommand, RunOnceCommand } from './options.ts'

/** The unit of systemd that runs under the lock; null where a command does. */
export const lockedUnit = (command: LockCommand | RunOnceCommand): string | null =>
  command.kind === 'lock' ? command.unit : null

/** Has a unit killed that runs under a lock, as the lock's own unit does at its end. It may still be ending afterwards. */
export async function killLocked(unit: string): Promise<void> {
  await execQuick(taskPaths.runUnit, ['--end', unit], KILL_UNIT_MS).catch(() => {})
}
