import { waitFor } from '../core/wait.ts'
import { type Connection, type Target, withDatabase } from './client.ts'
import { renderSynchronous } from './config-synchronous.ts'
import { type CommitRule, cannotBeMet, HOLD, NO_WAIT } from './decide-durability.ts'
import { setAndReload } from './setting.ts'

/**
 * How long PostgreSQL's processes may take to take a setting over, and how long clients are held at the most: it takes
 * milliseconds, but a checkpointer that waits for a disk does not look.
 */
export const TAKE_OVER_MS = 1000
/** How long standbys are made to answer, so that commits are let go: it takes milliseconds, and later they answer by themselves. */
const RELEASE_MS = 200
/** Between two looks meanwhile: short, because clients are held all the time. */
const LOOK_AGAIN_MS = 2
/** The deadline of the second session: longer than taking a setting over, letting commits go and looking again take together. */
const PROBE_MS = 10_000

/** Writes WAL, and needs no table. */
const COMMIT = `pg_logical_emit_message(true, 'understudy', '')`

/** A second session, whose commits wait as those of clients do. */
interface Probe {
  pid: number
  /** Begins a commit, unless the one before has not ended yet. @throws what the one before has failed with. */
  commit(): void
  hasEnded(): boolean
}

/**
 * Changes what commits wait for, and returns when that is in effect. Whether they wait at all only the checkpointer tells PostgreSQL's
 * other processes, and each WAL sender lets them go by a rule that it has read itself. So between two rules all commits are held:
 * see docs/adr/0030-proof-that-commits-wait.md.
 * @param own a session of a superuser, over which nobody else changes the rule meanwhile.
 * @param target for a second session.
 * @throws {UnderstudyError} `retry` if PostgreSQL has not taken the rule over in time. Then the former one is set again.
 */
export async function setCommitRule(own: Connection, target: Target, rule: CommitRule): Promise<void> {
  // Until all have taken it over, a commit waits for more than it has to.
  if (rule.count === 0) return setAndSee(own, renderSynchronous(rule))
  await withProbe(own, target, async (probe) => {
    const former = await ruleSeenBy(own)
    if (former === renderSynchronous(NO_WAIT)) await untilCommitsReturn(own, probe)
    try {
      await setAndSee(own, renderSynchronous(HOLD))
      await untilCommitsWait(own, probe)
      await untilNoneIsReleased(own)
      await setAndSee(own, renderSynchronous(rule))
    } catch (error) {
      // In a session of its own: what has failed may be that this one has come to its deadline.
      await withDatabase(target, PROBE_MS, (other) => setAndSee(other, former)).catch(() => {})
      throw error
    }
    if (!cannotBeMet(rule)) await release(own, probe)
  })
}

/**
 * Proves that the commits of a primary without standbys wait, by the rule that is set. If it is set that they do not wait, there is
 * nothing to prove.
 * @throws {UnderstudyError} `retry` if they do not wait yet.
 */
export async function proveCommitsWait(target: Target): Promise<void> {
  await withDatabase(target, PROBE_MS, async (own) => {
    if ((await ruleSeenBy(own)) === renderSynchronous(NO_WAIT)) return
    await withProbe(own, target, (probe) => untilCommitsWait(own, probe))
  })
}

/** Writes the rule that is set to the configuration file again. */
export const restoreCommitRule = (own: Connection, rule: CommitRule): Promise<void> =>
  setAndSee(own, renderSynchronous(rule))

async function withProbe(
  own: Connection,
  target: Target,
  work: (probe: Probe) => Promise<void>,
): Promise<void> {
  await withDatabase(target, PROBE_MS, async (connection) => {
    const [row] = await connection.query<{ pid: number }>(
      `select pg_backend_pid() as pid, set_config('synchronous_commit', 'on', false)`,
    )
    const pid = row?.pid ?? 0
    let ended = true
    let failure: unknown
    const probe: Probe = {
      pid,
      commit() {
        if (failure !== undefined) throw failure
        if (!ended) return
        ended = false
        connection
          .query(`select ${COMMIT}`)
          .catch((error: unknown) => {
            failure = error
          })
          .finally(() => {
            ended = true
          })
      },
      hasEnded: () => ended,
    }
    try {
      await work(probe)
    } finally {
      if (!ended) await own.query('select pg_cancel_backend($1)', [pid])
    }
  })
}

/**
 * Until a commit returns, where it is set that none waits: else one that waits would not say whether the checkpointer has read the next
 * rule, or not even this one.
 */
async function untilCommitsReturn(own: Connection, probe: Probe): Promise<void> {
  await untilNoneIsReleased(own)
  probe.commit()
  await untilTakenOver('the checkpointer', async () => probe.hasEnded())
}

/** Until a commit is seen waiting: then all do. */
const untilCommitsWait = (own: Connection, probe: Probe): Promise<void> =>
  untilTakenOver('the checkpointer', async () => {
    probe.commit()
    const waiting = `select from pg_stat_activity where pid = $1 and wait_event = 'SyncRep'`
    return (await own.query(waiting, [probe.pid])).length > 0
  })

/** Until no WAL sender knows a rule that has its standby in it. */
const untilNoneIsReleased = (own: Connection): Promise<void> =>
  untilTakenOver(
    'a WAL sender',
    async () => (await own.query('select from pg_stat_replication where sync_priority > 0')).length === 0,
  )

/** @throws {UnderstudyError} `retry`, which names the process that has not. */
async function untilTakenOver(what: string, look: () => Promise<boolean>): Promise<void> {
  const said = `${what} of PostgreSQL to take over what commits wait for`
  await waitFor(said, TAKE_OVER_MS, async () => (await look()) || null, LOOK_AGAIN_MS)
}

/**
 * A WAL sender lets commits go when its standby answers, which may take a second if nothing is written: so something is. If no standby
 * answers, clients wait for it by the new rule.
 */
async function release(own: Connection, probe: Probe): Promise<void> {
  const released = async () => {
    if (probe.hasEnded()) return true
    await own.query(`select set_config('synchronous_commit', 'local', true), ${COMMIT}`)
    return null
  }
  await waitFor('a standby to answer', RELEASE_MS, released, LOOK_AGAIN_MS).catch(() => {})
}

/** Sets the rule, and waits until PostgreSQL has told this session. */
async function setAndSee(own: Connection, rule: string): Promise<void> {
  await setAndReload(own, { synchronous_standby_names: rule }, { always: true })
  await untilTakenOver('a session', async () => (await ruleSeenBy(own)) === rule)
}

async function ruleSeenBy(own: Connection): Promise<string> {
  const [row] = await own.query<{ rule: string }>(
    `select current_setting('synchronous_standby_names') as rule`,
  )
  return row?.rule ?? ''
}
