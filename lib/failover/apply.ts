import { anyStandby, SYNCHRONOUS_FROM } from '../decide/durability.ts'
import type { FailoverPlan } from '../decide/failover.ts'
import { EXIT, UnderstudyError } from '../errors.ts'
import { kv, type Leader, type Primary } from '../kv.ts'
import type { Context } from '../reconciler.ts'
import { markPromotion } from '../world/data-directory.ts'
import { localDatabase } from '../world/database.ts'
import { withDatabase } from '../world/postgres.ts'
import { leaderSession } from './session.ts'
import { setSynchronous } from './upkeep.ts'

const PROMOTE_SECONDS = 10

/** Carries out one step. Each is safe to be killed in and to be repeated; what it leads to is read again afterwards. */
export async function applyFailover(plan: FailoverPlan, { settings, consul }: Context): Promise<void> {
  const { node, address, postgresqlPort: port } = settings
  const value: Leader = { schema: 1, node, since: new Date().toISOString(), why: plan.why }
  switch (plan.do) {
    case 'lock':
      // Whether we got it or somebody else did, the next look shows.
      await consul.acquire(kv.leader, value, await leaderSession(consul, node))
      return
    case 'unlock':
      await consul.release(kv.leader, value, plan.session)
      return
    case 'adopt': {
      const session = await leaderSession(consul, node)
      const { path: key } = kv.leader
      await consul.transaction([
        { verb: 'unlock', key, value, session: plan.session },
        { verb: 'lock', key, value, session },
      ])
      return
    }
    case 'promote':
      markPromotion(settings.postgresqlVersion)
      await promote(port, node, [...(await consul.list(kv.postgresqlNodes)).keys()])
      return
    case 'publish': {
      const { epoch, timeline, session } = plan
      const primary = { schema: 1, node, address, port, timeline, epoch }
      const published = await consul.get(kv.primary)
      if (!published || !isSame(published.value, plan.replaces)) return
      // One transaction: it publishes only while our session holds the lock and nobody else has published meanwhile.
      await consul.transaction([
        { verb: 'check-session', key: kv.leader.path, session },
        { verb: 'cas', key: kv.primary.path, value: primary, index: published.modifyIndex },
      ])
      return
    }
    case 'settled':
    case 'leave':
    case 'wait':
      return
  }
}

const isSame = (one: Primary, other: Primary): boolean =>
  one.node === other.node && one.epoch === other.epoch && one.timeline === other.timeline

async function promote(port: number, node: string, members: readonly string[]): Promise<void> {
  const timeoutMs = (PROMOTE_SECONDS + 1) * 1000
  const [row] = await withDatabase(localDatabase('postgres', port), timeoutMs, async (own) => {
    // Before the first commit: it has to wait for a standby as all others do.
    if (members.length >= SYNCHRONOUS_FROM) await setSynchronous(own, anyStandby(node, members))
    return own.query<{ done: boolean }>(`select pg_promote(true, ${PROMOTE_SECONDS}) as done`)
  })
  if (!row?.done)
    throw new UnderstudyError(EXIT.failed, `PostgreSQL was not promoted within ${PROMOTE_SECONDS} s`)
}
