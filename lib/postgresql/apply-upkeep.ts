import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { setCommitRule } from './apply-commit-rule.ts'
import type { Connection, Target } from './client.ts'
import { slotName } from './config.ts'
import type { CommitRule, ElectionRule } from './decide-durability.ts'
import type { UpkeepChange } from './decide-upkeep.ts'
import { postgresqlKeys } from './manifest.ts'
import { readMembers, readSeats } from './observe-failover.ts'
import type { LockHolder } from './observe-upkeep.ts'
import { dropSlots, ensureSlot } from './slots.ts'

/**
 * Carries out one change of the election rule or of the commit rule. The caller holds the advisory lock through `own`, so that
 * nobody else changes PostgreSQL's side between the look and the step.
 * @param target the same database, for a second session.
 * @param commit the rule in effect.
 * @returns false if Consul has refused it: something has changed since the look.
 * @throws {UnderstudyError} `retry` if PostgreSQL has not taken a commit rule over in time: neither rule is changed.
 */
export async function applyUpkeep(
  plan: UpkeepChange,
  own: Connection,
  target: Target,
  { settings, consul }: Context,
  { session, sync, election, saysWaits }: LockHolder,
  commit: CommitRule,
): Promise<boolean> {
  const { node } = settings
  const publish = (rule: ElectionRule, waits: boolean): Promise<boolean> =>
    consul.transaction([
      { verb: 'check-session', key: consulKeys.leader.path, session },
      {
        verb: 'cas',
        key: postgresqlKeys.sync.path,
        value: { schema: 1, node, voters: [...rule.voters], need: rule.need, waits },
        index: sync?.modifyIndex ?? 0,
      },
    ])
  if (plan.do === 'elect') return publish(plan.election, commit.count > 0)
  // Writes the same rule again, so that a write of ours that timed out and is still on its way to Consul fails.
  if (!(await publish(election, saysWaits))) return false
  await setCommitRule(own, target, plan.commit)
  return true
}

/** Makes a replication slot for every other member, and drops the slots of machines that are none. */
export async function keepSlots(own: Connection, { settings, consul }: Context): Promise<void> {
  const [members, seats] = await Promise.all([readMembers({ settings, consul }), readSeats(consul)])
  const slots = members
    .filter(({ node, repmgrId }) => node !== settings.node && repmgrId > 0)
    .map(({ repmgrId }) => slotName(repmgrId))
  for (const slot of slots) await ensureSlot(own, slot)
  // A machine that has a seat and is no member yet may be copying this one right now.
  if (seats === null) return
  const seated = Object.values(seats).map(({ repmgrId }) => slotName(repmgrId))
  await dropSlots(own, [...slots, ...seated])
}

/** repmgr writes the same columns when it promotes (repmgr.nodes, https://www.repmgr.org/docs/current/). */
export async function keepMetadata(own: Connection, repmgrId: number): Promise<void> {
  await own.query(
    `update repmgr.nodes set
       type = case when node_id = $1 then 'primary' else 'standby' end,
       upstream_node_id = case when node_id = $1 then null else $1::int end,
       active = true
     where (node_id = $1) is distinct from (type = 'primary') or (node_id <> $1 and upstream_node_id is distinct from $1::int)`,
    [repmgrId],
  )
}

/** The monitoring role gets in when clients have taken all connections. Before PostgreSQL 16 there is no such privilege. */
export async function keepReserve(own: Connection): Promise<void> {
  const missing = await own.query(
    `select from pg_roles where rolname = 'pg_use_reserved_connections'
       and not pg_has_role('understudy_monitor', oid, 'member')`,
  )
  if (missing.length > 0) await own.query('grant pg_use_reserved_connections to understudy_monitor')
}
