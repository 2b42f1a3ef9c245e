import { rmSync } from 'node:fs'
import { replaceFile } from '../core/atomic-files.ts'
import { type RunOptions, run } from '../core/exec.ts'
import { type RepmgrOptions, renderRepmgr } from './config-repmgr.ts'
import { SESSION_OPTIONS } from './config-session.ts'
import { makeStandby, swapIn, type Upstream } from './data-directory.ts'
import { postgresqlPaths } from './manifest.ts'

/** A clone is as long as the database is big; this only ends one that no longer moves. */
const CLONE_MS = 12 * 3600 * 1000

const CLEAN_AND_CLONE = 'rm -rf -- "$1"; shift; exec "$@"'

/**
 * Copies the primary beside the data directory with `repmgr standby clone` and swaps the copy in. PostgreSQL must be
 * stopped before the swap: `stop` is called when the copy is complete.
 *
 * @param as the postgres system user, where the caller is root; empty where the caller is postgres.
 */
export async function cloneStandby(
  member: RepmgrOptions,
  upstream: Upstream,
  stop: () => Promise<void>,
  as: Pick<RunOptions, 'uid' | 'gid'>,
): Promise<void> {
  const version = member.postgresqlVersion
  const incoming = postgresqlPaths.incoming(version)
  // repmgr clones into the directory its configuration names, whatever --pgdata says.
  const config = postgresqlPaths.cloneConfig(version)
  replaceFile(config, renderRepmgr({ ...member, dataDirectory: incoming }), { mode: 0o600, ...as })
  const clone = [
    ...[
      'repmgr',
      '-f',
      config,
      '-h',
      upstream.host,
      '-p',
      String(upstream.port),
      '-U',
      'repmgr',
      '-d',
      'repmgr',
    ],
    ...['standby', 'clone', '--fast-checkpoint'],
  ]
  try {
    // A copy that a killed process left running holds the lock through its file descriptor: wait for its end.
    await run(
      'flock',
      [
        '--wait',
        String(CLONE_MS / 1000),
        postgresqlPaths.cloneLock,
        'sh',
        '-ec',
        CLEAN_AND_CLONE,
        'clone',
        incoming,
        ...clone,
      ],
      {
        ...as,
        timeoutMs: CLONE_MS,
        env: { PGPASSFILE: postgresqlPaths.repmgrPassfile, PGOPTIONS: SESSION_OPTIONS },
      },
    )
  } finally {
    rmSync(config, { force: true })
  }
  makeStandby(incoming, member, upstream)
  await stop()
  swapIn(version)
}
