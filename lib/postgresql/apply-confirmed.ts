import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import type { Connection } from './client.ts'
import { readRole } from './database.ts'
import { type ConfirmedFacts, decideConfirmed } from './decide-confirmed.ts'
import { parseLsn } from './lsn.ts'
import { postgresqlKeys } from './manifest.ts'

/**
 * Records in Consul how far commits are confirmed, where that has moved. Only while the session holds the lock, and only if nobody
 * has written it since the look.
 */
export async function recordConfirmed(
  own: Connection,
  { settings, consul }: Context,
  session: string,
  seen: Pick<ConfirmedFacts, 'commit' | 'replayed'>,
): Promise<void> {
  const [recorded, role, [row]] = await Promise.all([
    consul.get(postgresqlKeys.confirmed),
    readRole(own),
    own.query<{ checkpoint: string }>(
      'select checkpoint_lsn::text as checkpoint from pg_control_checkpoint()',
    ),
  ])
  if (role.role !== 'primary' || !row) return
  const plan = decideConfirmed({
    ...{ node: settings.node, timeline: role.timeline, ...seen },
    ...{ checkpoint: parseLsn(row.checkpoint), recorded: recorded?.value ?? null },
  })
  if (plan.do !== 'record') return
  await consul.transaction([
    { verb: 'check-session', key: consulKeys.leader.path, session },
    {
      verb: 'cas',
      key: postgresqlKeys.confirmed.path,
      value: plan.confirmed,
      index: recorded?.modifyIndex ?? 0,
    },
  ])
}
