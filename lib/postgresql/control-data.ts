import { run } from '../core/exec.ts'
import { postgresqlPaths } from './manifest.ts'

/** What pg_controldata prints in English of the data directory. It works on a stopped server. @throws where it cannot be read. */
export const readControlData = (version: number): Promise<string> =>
  run(postgresqlPaths.bin(version, 'pg_controldata'), [postgresqlPaths.data(version)], {
    env: { LC_ALL: 'C' },
  })
