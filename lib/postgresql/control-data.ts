import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { stdoutOf } from '../core/exec.ts'
import { execQuick } from '../core/exec-quick.ts'
import { whyElsewhere } from './decide-directory.ts'
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
  const config = postgresqlPaths.serverConfig(version)
  return stdoutOf(program, await askConfigured(program, config, name, postgresqlPaths.data(version)))
}

const askConfigured = (program: string, config: string, name: string, directory: string) =>
  execQuick(program, ['-C', name, '-D', directory, '-c', `config_file=${config}`], READ_MS)

/**
 * The data directory that the next start will use, as its configuration names it; null where PostgreSQL does not start with that
 * configuration. PostgreSQL refuses a directory for -D that is gone, so that is the one of the configuration.
 */
export async function readDataDirectory(program: string, config: string): Promise<string | null> {
  const { exitCode, stdout } = await askConfigured(program, config, 'data_directory', dirname(config))
  return exitCode === 0 ? stdout.trim() : null
}

/** Why PostgreSQL would start from other data than the member's, or null. @throws where that could not be read. */
export async function observeElsewhere(version: number): Promise<string | null> {
  const program = postgresqlPaths.bin(version, 'postgres')
  const configured = await readDataDirectory(program, postgresqlPaths.serverConfig(version))
  const place = postgresqlPaths.data(version)
  return whyElsewhere(
    configured !== null && realPlace(configured) === realPlace(place) ? place : configured,
    place,
  )
}

/** What is replaced is the directory's own name, so only the directories above it may be links. */
function realPlace(directory: string): string {
  const above = dirname(directory)
  return join(existsSync(above) ? realpathSync(above) : above, basename(directory))
}
