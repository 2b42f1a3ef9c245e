import { rmSync } from 'node:fs'
import { exists, replaceFile } from '../core/atomic-files.ts'
import { postgresqlPaths } from './manifest.ts'

/** Has this machine been fenced? The marker is gone after a boot, and when the database may start again. */
export const isFenced = (): boolean => exists(postgresqlPaths.fenced)

export const markFenced = (): boolean =>
  replaceFile(postgresqlPaths.fenced, 'cut off from the standbys and from the lock\n')

export const unmarkFenced = (): void => rmSync(postgresqlPaths.fenced, { force: true })
