import { asSeen, FILLED_IN, type Operation } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import type { Connection } from './client.ts'
import { readRole } from './database.ts'
import { decideConfirmed } from './decide-confirmed.ts'
import type { CommitRule } from './decide-durability.ts'
import type { Stream } from './decide-streams.ts'
import { parseLsn } from './lsn.ts'
import { postgresqlKeys } from './manifest.ts'
import type { LockHolder } from './observe-upkeep.ts'
import { positionStatement, type Recorder } from './recorder.ts'

/**
 * Records in Consul how far commits are confirmed, where that has moved. Only while the session holds the lock, and only if nobody
 * has written it since the look.
 * @returns what it takes to go on with that; null where it may not be: what was recorded is not reached, or Consul has refused it.
 */
export async function recordConfirmed(
  own: Connection,
  { settings: { node }, consul }: Context,
  { session, sync }: Pick<LockHolder, 'session' | 'sync'>,
  seen: { commit: CommitRule; streams: readonly Stream[] },
): Promise<Recorder | null> {
  const [recorded, role, [row]] = await Promise.all([
    consul.get(postgresqlKeys.confirmed),
    readRole(own),
    own.query<{ checkpoint: string }>(
      'select checkpoint_lsn::text as checkpoint from pg_control_checkpoint()',
    ),
  ])
  if (role.role !== 'primary' || !row) return null
  const { timeline } = role
  const plan = decideConfirmed({
    ...{ node, timeline, ...seen },
    ...{ checkpoint: parseLsn(row.checkpoint), recorded: recorded?.value ?? null },
  })
  if (plan.do === 'nothing' && !plan.reached) return null
  const underLock: Operation = { verb: 'check-session', key: consulKeys.leader.path, session }
  const { path } = postgresqlKeys.confirmed
  if (plan.do === 'record') {
    const index = recorded?.modifyIndex ?? 0
    const write: Operation = { verb: 'cas', key: path, value: plan.confirmed, index }
    if (!(await consul.transaction([underLock, write]))) return null
  }
  return {
    statement: positionStatement({ node, timeline, ...seen }),
    transaction: consul.transactionText([
      underLock,
      // Under another election rule other standbys may count.
      asSeen(postgresqlKeys.sync.path, sync?.modifyIndex ?? 0),
      { verb: 'set', key: path, value: FILLED_IN },
    ]),
  }
}
