import type { Connection } from './client.ts'
import type { Stream, StreamingMember } from './decide-streams.ts'
import { parseLsn } from './lsn.ts'

/** All connections that receive WAL from this database. It takes a superuser, or a member of pg_monitor. */
export async function readStreams(connection: Connection): Promise<Stream[]> {
  const rows = await connection.query<
    Omit<Stream, 'flushed' | 'replayed'> & { flushed: string | null; replayed: string | null }
  >(
    `select r.pid, extract(epoch from r.backend_start)::text as started, r.application_name as name,
       r.usename::text as user, host(r.client_addr) as address,
       s.slot_name::text as slot, r.state = 'streaming' as streaming,
       r.flush_lsn::text as flushed, r.replay_lsn::text as replayed
     from pg_stat_replication r left join pg_replication_slots s on s.active_pid = r.pid order by r.pid`,
  )
  return rows.map(({ flushed, replayed, ...row }) => ({
    ...row,
    flushed: flushed === null ? null : parseLsn(flushed),
    replayed: replayed === null ? null : parseLsn(replayed),
  }))
}

/** The members as repmgr knows them, also where Consul is silent or has lost a document. */
export const readRegistered = (connection: Connection): Promise<StreamingMember[]> =>
  connection.query<StreamingMember>(
    `select node_name as node, node_id as "repmgrId", substring(conninfo from 'host=([^ ]+)') as address
     from repmgr.nodes order by 1`,
  )
