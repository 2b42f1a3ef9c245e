import { namesIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { waitFor } from '../core/wait.ts'
import { type Connection, withDatabase } from './client.ts'
import { renderSynchronous } from './config-synchronous.ts'
import { localDatabase, readRole } from './database.ts'
import { commitRule, isSynchronous, NO_WAIT } from './decide-durability.ts'
import { postgresqlKeys } from './manifest.ts'
import { readRegistered } from './observe-streams.ts'
import { keepReplaying, restartPostgresql } from './replay.ts'
import type { LocalDatabase } from './role.ts'
import { makeRoom } from './room.ts'
import { setAndReload } from './setting.ts'
import { evictStandbys } from './slots.ts'

/** How long a promotion may take: PostgreSQL replays what it has received, mostly in milliseconds. */
const PROMOTE_MS = 10_000
/** How often it is looked at: part of every failover. */
const LOOK_AGAIN_MS = 20

/**
 * The synchronous_standby_names of a new primary: its first commit has to wait like all others. A member whose document in Consul is
 * lost is one all the same.
 * @param own a session in the database `repmgr`.
 */
export async function firstCommits(own: Connection, { settings, consul }: Context): Promise<string> {
  const [config, listed, registered] = await Promise.all([
    consul.get(consulKeys.config),
    consul.list(postgresqlKeys.nodes),
    readRegistered(own),
  ])
  const names = new Set([...namesIn(listed), ...registered.map(({ node }) => node)])
  const others = [...names].filter((name) => name !== settings.node)
  const waits = isSynchronous(config?.value.durability ?? 'quorum', names.size)
  return renderSynchronous(waits ? commitRule(others) : NO_WAIT)
}

/**
 * Makes PostgreSQL on this machine, a standby whose WAL receiver has stopped, the primary.
 * @returns what it is then.
 * @throws if it does not become the primary in time.
 */
export async function promote(context: Context): Promise<LocalDatabase> {
  const first = await tryToPromote(context)
  if (first !== 'archive') return first
  await restartPostgresql(context, 'PostgreSQL waits for its archive and does not heed the promotion')
  const second = await tryToPromote(context)
  if (second !== 'archive') return second
  throw new Error('PostgreSQL still waits for its archive')
}

/** @returns `archive` if PostgreSQL waits for a restore_command that does not end. */
async function tryToPromote(context: Context): Promise<LocalDatabase | 'archive'> {
  const target = localDatabase('postgres', context.settings.postgresqlPort, 'repmgr')
  return withDatabase(target, PROMOTE_MS, async (own) => {
    // A standby that points here must not stream what is not published, as another member's timeline may have the same number.
    await evictStandbys(own)
    // Stopping the WAL receiver has set it already, unless the members have changed since.
    await setAndReload(own, { synchronous_standby_names: await firstCommits(own, context) })
    await makeRoom(own)
    await own.query('select pg_promote(false)')
    const lookAtReplay = keepReplaying(own)
    return waitFor(
      'PostgreSQL to be promoted',
      PROMOTE_MS,
      async () => {
        const local = await readRole(own)
        return local.role === 'primary' ? local : lookAtReplay()
      },
      LOOK_AGAIN_MS,
    )
  })
}
