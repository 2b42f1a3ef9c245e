import { run } from '../core/exec.ts'
import type { SystemUser } from '../core/users.ts'
import { postgresqlPaths } from './manifest.ts'

const REGISTER_MS = 30_000

/** Writes the first machine into repmgr's metadata (and creates its extension). */
export async function registerPrimary(as: SystemUser): Promise<void> {
  await repmgr(['primary', 'register', '--force'], as)
}

/** Writes a standby into repmgr's metadata, or renews its entry. */
export async function registerStandby(as: SystemUser): Promise<void> {
  await repmgr(['standby', 'register', '--force', `--wait-sync=${REGISTER_MS / 2000}`], as)
}

const repmgr = (args: readonly string[], as: SystemUser): Promise<string> =>
  run('repmgr', ['-f', postgresqlPaths.repmgrConfig, ...args], {
    ...as,
    timeoutMs: REGISTER_MS,
    env: { PGPASSFILE: postgresqlPaths.repmgrPassfile },
  })
