import { stdoutOf } from '../core/exec.ts'
import { execQuick } from '../core/exec-quick.ts'
import { postgresqlPaths } from './manifest.ts'

/** It reads a small file; without a deadline, a disk that hangs would block the start for ever. */
const READ_MS = 10_000

/** What pg_controldata prints in English of the data directory. It works on a stopped server. @throws where it cannot be read. */
export async function readControlData(version: number): Promise<string> {
  const program = postgresqlPaths.bin(version, 'pg_controldata')
  const args = ['LC_ALL=C', program, postgresqlPaths.data(version)]
  return stdoutOf(program, await execQuick('/usr/bin/env', args, READ_MS))
}

/** What a setting will be at the next start. The option -C must come first: then it may run as root. @throws as PostgreSQL does. */
export async function readConfigured(version: number, name: string): Promise<string> {
  const program = postgresqlPaths.bin(version, 'postgres')
  const config = `config_file=${postgresqlPaths.serverConfig(version)}`
  const args = ['-C', name, '-D', postgresqlPaths.data(version), '-c', config]
  return stdoutOf(program, await execQuick(program, args, READ_MS))
}
