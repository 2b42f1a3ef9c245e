import { kv } from '../kv.ts'
import { dropSlots, ensureSlot } from '../reconcile/slots.ts'
import type { Context } from '../reconciler.ts'
import { slotName } from '../render/postgresql.ts'
import { localDatabase } from '../world/database.ts'
import { withDatabase } from '../world/postgres.ts'

const UPKEEP_MS = 5000

/**
 * What a primary sees to: a replication slot for every other member and none for strangers, and repmgr's own metadata.
 * repmgr writes the same columns when it promotes (repmgr.nodes, https://www.repmgr.org/docs/current/).
 */
export async function keepUpPrimary({ settings, consul }: Context): Promise<void> {
  const [members, seats] = await Promise.all([consul.list(kv.postgresqlNodes), consul.get(kv.seats)])
  const slots = [...members]
    .filter(([node]) => node !== settings.node)
    .map(([, { value }]) => slotName(value.repmgrId))
  await withDatabase(localDatabase('postgres', settings.postgresqlPort, 'repmgr'), UPKEEP_MS, async (own) => {
    for (const slot of slots) await ensureSlot(own, slot)
    // Whoever has a seat may be copying us right now, and is no member yet.
    const seated = Object.values(seats?.value.seats ?? {}).map(({ repmgrId }) => slotName(repmgrId))
    await dropSlots(own, [...slots, ...seated])
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
