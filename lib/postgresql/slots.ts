import type { Connection } from './client.ts'

/** The names of the members' slots, as lib/postgresql/config.ts makes them. */
const OF_MEMBERS = `slot_name like 'repmgr\\_slot\\_%'`

/** How long a process that serves a standby may take to end; it takes some milliseconds. */
const EVICT_MS = 1000

/** Makes the replication slot on this database, unless it exists. */
export async function ensureSlot(primary: Connection, slot: string): Promise<void> {
  const found = await primary.query('select 1 from pg_replication_slots where slot_name = $1', [slot])
  if (found.length > 0) return
  try {
    await primary.query('select pg_create_physical_replication_slot($1, true)', [slot])
  } catch (error) {
    // duplicate_object: the standby and the primary both make it, and the other one was quicker.
    if ((error as { code?: string }).code !== '42710') throw error
  }
}

/**
 * Makes a slot anew that keeps WAL from now on: an old one may keep much that nobody needs, or have lost what it kept. Whatever uses it
 * is what a copy has left that did not end cleanly.
 */
export async function renewSlot(primary: Connection, slot: string): Promise<void> {
  await primary.query(
    'select pg_terminate_backend(active_pid, $2) from pg_replication_slots where slot_name = $1 and active',
    [slot, EVICT_MS],
  )
  await primary.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1',
    [slot],
  )
  await ensureSlot(primary, slot)
}

/**
 * Drops all of the members' slots, also in use: no member has another way to stream from here.
 * @throws PostgreSQL's refusal, if a slot was taken again meanwhile.
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
 * Drops unused slots of members, except those named. Slots of former members, or of the time when this machine was the primary,
 * would keep WAL for ever.
 */
export async function dropSlots(connection: Connection, except: readonly string[] = []): Promise<void> {
  await connection.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots
     where ${OF_MEMBERS} and not active and slot_name <> all($1)`,
    [except],
  )
}
