import { setTimeout as pause } from 'node:timers/promises'
import { currentPrimary, UNKNOWN } from '../decide/facts.ts'
import { holdsLock } from '../decide/failover.ts'
import { kv } from '../kv.ts'
import { known, readLeadership } from '../reconcile/observe.ts'
import { dropSlots, ensureSlot } from '../reconcile/slots.ts'
import type { Context } from '../reconciler.ts'
import { slotName } from '../render/postgresql.ts'
import { localDatabase } from '../world/database.ts'
import { type Connection, withDatabase } from '../world/postgres.ts'
import { type Held, keepDurable } from './durable.ts'
import { type Member, readMembers } from './observe.ts'
import { readSessions } from './session.ts'

/** How long a run looks after standbys that are on their way; one that has none, until it may go on alone. */
const UPKEEP_MS = 20_000
/** How long no standby must have streamed before the primary may go on alone. */
export const ALONE_AFTER_MS = 10_000
const LOOK_AGAIN_MS = 250
/** Our own bookkeeping takes milliseconds; this ends one on a database that hangs. */
const DATABASE_MS = 5000

/**
 * What a primary sees to: a replication slot for every other member and none for strangers, repmgr's own metadata, and what
 * a commit waits for, until every healthy member counts. One run at a time: the others find the advisory lock taken.
 *
 * @returns whether this machine still holds the lock.
 */
export async function keepUpPrimary(context: Context): Promise<'kept' | 'lost'> {
  const { settings } = context
  const target = localDatabase('postgres', settings.postgresqlPort, 'repmgr')
  return withDatabase(target, UPKEEP_MS + ALONE_AFTER_MS + DATABASE_MS, async (own) => {
    const [lock] = await own.query<{ ours: boolean }>(
      `select pg_try_advisory_lock(hashtext('understudy upkeep')) as ours`,
    )
    if (!lock?.ours) return 'kept'
    // Our own bookkeeping must not wait for a standby that may be gone.
    await own.query('set synchronous_commit = local')
    await keepSlots(own, context)
    await keepMetadata(own, settings.repmgrId)
    const started = performance.now()
    let seen = started
    for (;;) {
      const held = await readHeld(context)
      if (held === null) return 'lost'
      const now = performance.now()
      const alone = now - seen > ALONE_AFTER_MS
      const { streaming, level, changed, starved } = await keepDurable(own, context, held, alone)
      if (streaming.length > 0) seen = now
      if (changed) continue
      const complete = (!starved || alone) && held.members.every(counts(settings.node, level))
      if (complete || (now - started > UPKEEP_MS && (alone || !starved))) return 'kept'
      await pause(LOOK_AGAIN_MS)
    }
  })
}

/** Is a member the primary itself, level with it, or not well enough to be waited for? */
const counts =
  (primary: string, level: readonly string[]) =>
  ({ node, healthy }: Member): boolean =>
    node === primary || !healthy || level.includes(node)

/** The lock is ours, as Consul says now, together with what a step needs; null where it is not, or Consul does not say. */
async function readHeld({ settings, consul }: Context): Promise<Held | null> {
  const [leadership, sessions, members, config, sync] = await Promise.all([
    known(readLeadership(consul)),
    known(readSessions(consul, settings.node)),
    known(readMembers(consul)),
    known(consul.get(kv.config)),
    known(consul.get(kv.sync)),
  ])
  if (leadership === UNKNOWN || sessions === UNKNOWN || members === UNKNOWN) return null
  if (config === UNKNOWN || sync === UNKNOWN) return null
  const { leader } = leadership
  const session = leader?.session
  if (!session || !holdsLock({ leader, ownSessions: sessions.own })) return null
  if (currentPrimary(leadership)?.node !== settings.node) return null
  return { session, members, mode: config?.value.durability ?? 'quorum', sync }
}

async function keepSlots(own: Connection, { settings, consul }: Context): Promise<void> {
  const [members, seats] = await Promise.all([consul.list(kv.postgresqlNodes), consul.get(kv.seats)])
  const slots = [...members]
    .filter(([node]) => node !== settings.node)
    .map(([, { value }]) => slotName(value.repmgrId))
  for (const slot of slots) await ensureSlot(own, slot)
  // Whoever has a seat may be copying us right now, and is no member yet.
  const seated = Object.values(seats?.value.seats ?? {}).map(({ repmgrId }) => slotName(repmgrId))
  await dropSlots(own, [...slots, ...seated])
}

/** repmgr writes the same columns when it promotes (repmgr.nodes, https://www.repmgr.org/docs/current/). */
async function keepMetadata(own: Connection, repmgrId: number): Promise<void> {
  await own.query(
    `update repmgr.nodes set
       type = case when node_id = $1 then 'primary' else 'standby' end,
       upstream_node_id = case when node_id = $1 then null else $1::int end,
       active = true
     where (node_id = $1) is distinct from (type = 'primary') or (node_id <> $1 and upstream_node_id is distinct from $1::int)`,
    [repmgrId],
  )
}
