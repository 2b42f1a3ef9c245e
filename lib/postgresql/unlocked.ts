import { readNote, replaceFile } from '../core/atomic-files.ts'
import { sinceBootMs } from '../core/uptime.ts'
import { postgresqlPaths } from './manifest.ts'

interface Unlocked {
  /** ModifyIndex of the free lock: another one means that it was taken meanwhile. */
  modifyIndex: number
  /** On the clock that starts with the boot. */
  sinceMs: number
}

/** How long this machine has known that the lock is free as it is, over all runs since the boot. 0 if it has just learned that. */
export function unlockedMs(modifyIndex: number): number {
  const nowMs = sinceBootMs()
  const known = readNote<Unlocked>(postgresqlPaths.unlocked)
  if (known?.modifyIndex === modifyIndex) return nowMs - known.sinceMs
  const found: Unlocked = { modifyIndex, sinceMs: nowMs }
  replaceFile(postgresqlPaths.unlocked, `${JSON.stringify(found)}\n`)
  return 0
}
