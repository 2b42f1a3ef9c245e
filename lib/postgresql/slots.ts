import type { Connection } from './client.ts'

/** The names of the members' slots, as lib/postgresql/config.ts makes them. */
const OF_MEMBERS = `slot_name like 'repmgr\\_slot\\_%'`

/** How long a process that serves a standby has to end. */
const EVICT_MS = 1000

/** Makes sure the replication slot exists on the database we are connected to. */
export async function ensureSlot(primary: Connection, slot: string): Promise<void> {
  const found = await primary.query('select 1 from pg_replication_slots where slot_name = $1', [slot])
  if (found.length > 0) return
  try {
    await primary.query('select pg_create_physical_replication_slot($1, true)', [slot])
  } catch (error) {
    // duplicate_object: the other side, which also sees to it, was quicker.
    if ((error as { code?: string }).code !== '42710') throw error
  }
}

/**
 * Drops all of the members' slots, also in use: no member has another way to stream from here.
 * @throws PostgreSQL's refusal, where one was taken again meanwhile.
 */
export async function evictStandbys(connection: Connection): Promise<void> {
  await connection.query(
    `select pg_terminate_backend(active_pid, ${EVICT_MS}) from pg_replication_slots where ${OF_MEMBERS} and active`,
  )
  await connection.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where ${OF_MEMBERS}`,
  )
}

/**
 * Drops the members' slots that nobody uses, except those named: slots of departed members, or of the time when this
 * machine was the primary, would keep WAL for ever.
 */
export async function dropSlots(connection: Connection, except: readonly string[] = []): Promise<void> {
  await connection.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots
     where ${OF_MEMBERS} and not active and slot_name <> all($1)`,
    [except],
  )
}
