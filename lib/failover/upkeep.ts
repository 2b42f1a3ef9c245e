import { type DurabilityFacts, decideDurability } from '../decide/durability.ts'
import { kv } from '../kv.ts'
import { dropSlots, ensureSlot } from '../reconcile/slots.ts'
import type { Context } from '../reconciler.ts'
import { slotName } from '../render/postgresql.ts'
import { localDatabase } from '../world/database.ts'
import { type Connection, sqlLiteral, withDatabase } from '../world/postgres.ts'

const UPKEEP_MS = 5000

/**
 * What a primary sees to: a replication slot for every other member and none for strangers, and repmgr's own metadata.
 * repmgr writes the same columns when it promotes (repmgr.nodes, https://www.repmgr.org/docs/current/).
 *
 * @param heldMs for how long this machine has held the lock: Consul must have confirmed just now that it does.
 */
export async function keepUpPrimary({ settings, consul }: Context, heldMs: number): Promise<void> {
  const [members, seats] = await Promise.all([consul.list(kv.postgresqlNodes), consul.get(kv.seats)])
  const slots = [...members]
    .filter(([node]) => node !== settings.node)
    .map(([, { value }]) => slotName(value.repmgrId))
  await withDatabase(localDatabase('postgres', settings.postgresqlPort, 'repmgr'), UPKEEP_MS, async (own) => {
    for (const slot of slots) await ensureSlot(own, slot)
    // Whoever has a seat may be copying us right now, and is no member yet.
    const seated = Object.values(seats?.value.seats ?? {}).map(({ repmgrId }) => slotName(repmgrId))
    await dropSlots(own, [...slots, ...seated])
    await keepDurable(own, { node: settings.node, members: [...members.keys()], heldMs })
    // Our own bookkeeping must not wait for a standby that may be gone.
    await own.query('set synchronous_commit = local')
    await own.query(
      `update repmgr.nodes set
         type = case when node_id = $1 then 'primary' else 'standby' end,
         upstream_node_id = case when node_id = $1 then null else $1::int end,
         active = true
       where (node_id = $1) is distinct from (type = 'primary') or (node_id <> $1 and upstream_node_id is distinct from $1::int)`,
      [settings.repmgrId],
    )
  })
}

/** Keeps synchronous_standby_names as {@link decideDurability} wants it. */
async function keepDurable(
  own: Connection,
  known: Pick<DurabilityFacts, 'node' | 'members' | 'heldMs'>,
): Promise<void> {
  const streaming = await own.query<{ name: string }>(
    `select application_name as name from pg_stat_replication where state = 'streaming' and application_name = any($1)`,
    [known.members],
  )
  const [row] = await own.query<{ names: string }>(
    `select current_setting('synchronous_standby_names') as names`,
  )
  const plan = decideDurability({
    ...known,
    streaming: streaming.map(({ name }) => name),
    current: row?.names ?? '',
  })
  if (plan.do === 'set') await setSynchronous(own, plan.names)
}

/** Takes effect at once for all sessions, and stays over a restart. */
export async function setSynchronous(own: Connection, names: string): Promise<void> {
  await own.query(`alter system set synchronous_standby_names = ${sqlLiteral(names)}`)
  await own.query('select pg_reload_conf()')
}
