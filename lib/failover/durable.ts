import { setTimeout as pause } from 'node:timers/promises'
import {
  type CommitRule,
  type DurabilityPlan,
  decideDurability,
  type ElectionRule,
  NO_WAIT,
  NOBODY,
} from '../decide/durability.ts'
import { type DurabilityMode, type Entry, kv, type Sync } from '../kv.ts'
import { log } from '../log.ts'
import type { Context } from '../reconciler.ts'
import { parseSynchronous, renderSynchronous } from '../render/synchronous.ts'
import type { Connection } from '../world/postgres.ts'
import { IN_EFFECT_MS } from './apply.ts'
import type { Member } from './observe.ts'
import { setAndReload } from './setting.ts'

/** How long standbys that write without pause may take to reach a position that the primary had a moment ago. */
const LEVEL_MS = 1000
const LOOK_AGAIN_MS = 25

/** What Consul says while this machine holds the lock. */
export interface Held {
  session: string
  members: readonly Member[]
  mode: DurabilityMode
  sync: Entry<Sync> | null
}

export interface Kept {
  streaming: string[]
  level: string[]
  /** Something was changed: look again at once. */
  changed: boolean
  /** Commits wait for a standby, and none streams. */
  starved: boolean
}

/**
 * One step of {@link decideDurability}: looks, decides, does. The caller holds the advisory lock through `own`, so that
 * nobody else changes PostgreSQL's side between the look and the step.
 */
export async function keepDurable(
  own: Connection,
  { settings, consul }: Context,
  { session, members, mode, sync }: Held,
  alone: boolean,
): Promise<Kept> {
  const { node } = settings
  const commit = await readCommitRule(own)
  const { streaming, level } = await readStandbys(
    own,
    members.map((member) => member.node),
  )
  // A rule that another primary wrote says nothing of ours.
  const election: ElectionRule = sync?.value.node === node ? sync.value : NOBODY
  const plan = decideDurability({
    node,
    members: members.map((member) => member.node),
    mode,
    commit,
    election,
    streaming,
    level,
    alone,
  })
  const publish = (rule: ElectionRule): Promise<boolean> =>
    consul.transaction([
      { verb: 'check-session', key: kv.leader.path, session },
      {
        verb: 'cas',
        key: kv.sync.path,
        value: { schema: 1, node, voters: [...rule.voters], need: rule.need },
        index: sync?.modifyIndex ?? 0,
      },
    ])
  if (plan.do !== 'nothing') log('failover', { do: plan.do, why: plan.why, ...describe(plan) })
  let changed = false
  if (plan.do === 'elect') changed = await publish(plan.election)
  // The same rule again: a write of ours that timed out and is still on its way to Consul fails from now on.
  if (plan.do === 'commit') changed = await publish(election)
  if (plan.do === 'commit' && changed) await setNames(own, renderSynchronous(plan.commit))
  return { streaming, level, changed, starved: commit.count > 0 && streaming.length === 0 }
}

const describe = (plan: DurabilityPlan): Record<string, string> =>
  plan.do === 'elect'
    ? { rule: `${plan.election.need} of ${plan.election.voters.join(', ') || 'nobody but the primary'}` }
    : plan.do === 'commit'
      ? { rule: renderSynchronous(plan.commit) || 'commits do not wait' }
      : {}

/** The rule in effect. One that a killed run has only written to the file would come into effect unasked at any reload. */
async function readCommitRule(own: Connection): Promise<CommitRule> {
  const [row] = await own.query<{ now: string; file: string | null }>(
    `select current_setting('synchronous_standby_names') as now,
       (select setting from pg_file_settings where name = 'synchronous_standby_names' order by seqno desc limit 1) as file`,
  )
  if (row && (row.file ?? '') !== row.now) await setNames(own, row.now)
  return row ? parseSynchronous(row.now) : NO_WAIT
}

async function setNames(own: Connection, names: string): Promise<void> {
  await setAndReload(own, { synchronous_standby_names: names }, { always: true })
  await pause(IN_EFFECT_MS)
}

/** Which of the members stream, and which of those get as far as we have written by now. */
async function readStandbys(
  own: Connection,
  members: readonly string[],
): Promise<{ streaming: string[]; level: string[] }> {
  const [row] = await own.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')
  const deadline = performance.now() + LEVEL_MS
  for (;;) {
    const rows = await own.query<{ name: string; level: boolean }>(
      `select application_name as name, bool_or(flush_lsn >= $2::pg_lsn) as level from pg_stat_replication
       where state = 'streaming' and application_name = any($1) group by 1 order by 1`,
      [members, row?.lsn ?? null],
    )
    const level = rows.filter((standby) => standby.level)
    if (level.length === rows.length || performance.now() > deadline)
      return { streaming: rows.map(({ name }) => name), level: level.map(({ name }) => name) }
    await pause(LOOK_AGAIN_MS)
  }
}
