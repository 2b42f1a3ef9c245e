import type { Operation } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { epochOf } from '../consul/leadership.ts'
import { consulKeys, type Leader, type Primary } from '../consul/manifest.ts'
import { leaderSession } from '../consul/session.ts'
import { waitFor } from '../core/wait.ts'
import { proveCommitsWait } from './apply-commit-rule.ts'
import { firstCommits, promote } from './apply-promotion.ts'
import { withDatabase } from './client.ts'
import { markPromotion } from './data-directory.ts'
import { localDatabase, readRole } from './database.ts'
import { NOBODY } from './decide-durability.ts'
import type { FailoverPlan } from './decide-failover.ts'
import { postgresqlKeys, type Sync } from './manifest.ts'
import { readMembers } from './observe-failover.ts'
import { restartPostgresql } from './replay.ts'
import { suspendRestoreCommand } from './restore-command.ts'
import type { LocalDatabase } from './role.ts'
import { setAndReload } from './setting.ts'

/** How long a WAL receiver may take to stop, here or on another standby: the next look sees one that comes later. */
const STOP_RECEIVER_MS = 2000
/** How often it is looked at: part of every failover. */
const LOOK_AGAIN_MS = 20

/** What came of a step, where the next look should not have to find out. */
export interface Applied {
  /** After a promotion: what the database of this machine has become. */
  local?: LocalDatabase
  /** This machine has got the lock. */
  locked?: boolean
}

/** Carries out one step, which may be killed anywhere and repeated. The next look reads what came of it. */
export async function applyFailover(plan: FailoverPlan, context: Context): Promise<Applied> {
  if (plan.do === 'promote') {
    markPromotion(context.settings.postgresqlVersion, plan.timeline)
    return { local: await promote(context) }
  }
  if (plan.do === 'lock') return { locked: await takeLock(plan, context) }
  await carryOut(plan, context)
  return {}
}

const holder = (node: string, { why }: FailoverPlan): Leader => {
  const since = new Date().toISOString()
  return { schema: 1, node, since, why }
}

async function takeLock(
  plan: FailoverPlan & { do: 'lock' },
  { settings, consul }: Context,
): Promise<boolean> {
  const session = await leaderSession(consul, settings.node)
  return consul.acquire(consulKeys.leader, holder(settings.node, plan), session, plan.modifyIndex)
}

async function carryOut(
  plan: Exclude<FailoverPlan, { do: 'promote' | 'lock' }>,
  context: Context,
): Promise<void> {
  const { settings, consul } = context
  const { node } = settings
  const value = holder(node, plan)
  switch (plan.do) {
    case 'stop-receiver':
      return stopReceiver(context)
    case 'stop-other-receivers':
      return stopOtherReceivers(plan.nodes, context)
    case 'unlock':
      if (plan.restart) await restartPostgresql(context, plan.why)
      await consul.release(consulKeys.leader, value, plan.session)
      return
    case 'adopt': {
      const session = await leaderSession(consul, node)
      const { path: key } = consulKeys.leader
      await consul.transaction([
        { verb: 'unlock', key, value, session: plan.session },
        { verb: 'lock', key, value, session },
      ])
      return
    }
    case 'restart':
      return restartPostgresql(context, plan.why)
    case 'publish':
      return publish(plan, context)
    case 'settled':
    case 'leave':
    case 'wait':
      return
  }
}

/** Ends replication from the old primary; `follow` resumes it when there is a primary again. */
async function stopReceiver(context: Context): Promise<void> {
  const target = localDatabase('postgres', context.settings.postgresqlPort, 'repmgr')
  await withDatabase(target, STOP_RECEIVER_MS, async (own) => {
    await suspendRestoreCommand(own, context.settings.postgresqlVersion)
    // The commit rule of a primary has to be in effect before its first commit; on a standby it has no effect.
    const names = await firstCommits(own, context)
    await setAndReload(own, { primary_conninfo: '', synchronous_standby_names: names })
    // While an operator's pause lasts, the receiver does not stop; a promotion would end the pause as well.
    await own.query('select pg_wal_replay_resume() where pg_is_wal_replay_paused()')
    await waitFor(
      'the WAL receiver to stop',
      STOP_RECEIVER_MS,
      async () => {
        const role = await readRole(own)
        return role.role !== 'standby' || role.receiverStopped || null
      },
      LOOK_AGAIN_MS,
    )
  })
}

/** The same on other standbys, as repmgr (a superuser there): their gates need not have run, as when repmgrd started this one. */
async function stopOtherReceivers(nodes: readonly string[], context: Context): Promise<void> {
  const members = await readMembers(context)
  for (const node of nodes) {
    const member = members.find((one) => one.node === node)
    if (!member || member.address === null) continue
    const target = { host: member.address, port: member.port, user: 'repmgr', database: 'repmgr' }
    await withDatabase(target, STOP_RECEIVER_MS, (other) => setAndReload(other, { primary_conninfo: '' }))
  }
}

/**
 * One transaction, so that it publishes only while this session holds the lock, the lock is as it was looked at, and no other machine
 * has published meanwhile.
 * @throws {UnderstudyError} `retry` where a new primary's commits do not wait yet as they must.
 */
async function publish(plan: FailoverPlan & { do: 'publish' }, { settings, consul }: Context): Promise<void> {
  const { node, address, postgresqlPort: port } = settings
  const { lock, timeline, session, replaces } = plan
  const published = await consul.get(consulKeys.primary)
  if (!published || !isSame(published.value, replaces)) return
  const { lockIndex: epoch, modifyIndex: index } = lock
  const primary: Primary = { schema: 1, node, address, port, timeline, epoch, index }
  const operations: Operation[] = [
    { verb: 'check-session', key: consulKeys.leader.path, session },
    { verb: 'check-index', key: consulKeys.leader.path, index },
    { verb: 'cas', key: consulKeys.primary.path, value: primary, index: published.modifyIndex },
  ]
  // The standbys of a new primary may lack acknowledged commits: until they have caught up, nobody else may be promoted.
  const nobody: Sync = { schema: 1, node, voters: [...NOBODY.voters], need: NOBODY.need }
  if (replaces.node !== node || replaces.timeline !== timeline) {
    operations.push({ verb: 'set', key: postgresqlKeys.sync.path, value: nobody })
    // Here and not before the promotion: a standby commits nothing that could show it.
    await proveCommitsWait(localDatabase('postgres', port))
  }
  await consul.transaction(operations)
}

const isSame = (one: Primary, other: Primary): boolean =>
  one.node === other.node && epochOf(one) === epochOf(other) && one.timeline === other.timeline
