import { existsSync } from 'node:fs'
import { replaceFile } from '../core/atomic-files.ts'
import { postgresqlPaths } from './manifest.ts'

/** Has the data of this machine been compared with what was confirmed since the boot? */
export const isCompared = (): boolean => existsSync(postgresqlPaths.compared)

/** Also of a primary that runs and holds the lock: what was confirmed since is in its own data. */
export function markCompared(): void {
  if (!isCompared()) replaceFile(postgresqlPaths.compared, 'has what was confirmed\n')
}
