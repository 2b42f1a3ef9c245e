/** What commits wait for, and whether they do, on real servers. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { EXIT, UnderstudyError } from '../../../lib/core/errors.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { proveCommitsWait, setCommitRule } from '../../../lib/postgresql/apply-commit-rule.ts'
import type { Connection } from '../../../lib/postgresql/client.ts'
import { parseSynchronous, renderSynchronous } from '../../../lib/postgresql/config-synchronous.ts'
import { type CommitRule, HOLD, NO_WAIT } from '../../../lib/postgresql/decide-durability.ts'
import { releases, TestServer } from '../support/postgresql.ts'

const N2: CommitRule = { standbys: ['n2'], count: 1 }
const N2_OR_N3: CommitRule = { standbys: ['n2', 'n3'], count: 1 }
/** Nobody streams under these names. */
const ABSENT: CommitRule = { standbys: ['n4', 'n5'], count: 1 }

/** How long a client may be held by a change; on this computer's two cores much else may be running. */
const HELD_MS = 500
/** A standby answers within this time. */
const ANSWER_MS = 500

for (const { name, bin } of releases)
  describe(name, () => {
    let server: TestServer
    let standby: TestServer
    const stopped = new Set<number>()

    before(async () => {
      server = await TestServer.start(bin)
      standby = await server.standby('n2')
    })
    after(async () => {
      await standby.remove()
      await server.remove()
    })
    afterEach(async () => {
      for (const pid of stopped) resume(pid)
      await set(NO_WAIT)
    })

    const set = (rule: CommitRule): Promise<void> =>
      server.connected((own) => setCommitRule(own, server.target, rule))
    const pause = (pid: number): void => {
      stopped.add(pid)
      process.kill(pid, 'SIGSTOP')
    }
    const resume = (pid: number): void => {
      stopped.delete(pid)
      process.kill(pid, 'SIGCONT')
    }
    const ruleNow = async (): Promise<CommitRule> => {
      const [row] = await server.ask<{ rule: string }>(
        `select current_setting('synchronous_standby_names') as rule`,
      )
      return parseSynchronous(row?.rule ?? '')
    }
    /** As an operator does it, or a run that dies afterwards. */
    const setByHand = async (rule: CommitRule): Promise<void> => {
      await server.connected(async (own) => {
        await own.query(`alter system set synchronous_standby_names = '${renderSynchronous(rule)}'`)
        await own.query('select pg_reload_conf()')
      })
      await waitFor('sessions to see it', 5000, async () => {
        const [row] = await server.ask<{ rule: string }>(
          `select current_setting('synchronous_standby_names') as rule`,
        )
        return row?.rule === renderSynchronous(rule) || null
      })
    }
    const write = `select pg_logical_emit_message(true, 'test', 'written')`
    /** Does a commit return? One that waits for longer than a standby takes to answer does not, and is cancelled. */
    async function commitReturns(): Promise<boolean> {
      return server.connected(async (client) => {
        const [row] = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
        let returned = false
        const committed = client.query(write).finally(() => {
          returned = true
        })
        const waiting = `select from pg_stat_activity where pid = ${row?.pid} and wait_event = 'SyncRep'`
        const started = performance.now()
        await waitFor('a commit to return or to wait', 5000, async () => {
          if (returned) return true
          return ((await server.ask(waiting)).length > 0 && performance.now() - started > ANSWER_MS) || null
        })
        const outcome = returned
        if (!outcome) await server.ask(`select pg_cancel_backend(${row?.pid})`)
        await committed
        return outcome
      })
    }
    const late = (process: string) => (error: unknown) => {
      assert.ok(error instanceof UnderstudyError, String(error))
      assert.equal(error.exitCode, EXIT.retry)
      assert.match(error.message, new RegExp(`waited 1 s for ${process}`))
      return true
    }

    test('commits that did not wait do so from then on', async () => {
      await set(ABSENT)
      assert.deepEqual(await ruleNow(), ABSENT)
      assert.equal(await commitReturns(), false)
    })

    test('commits that wait no longer return', async () => {
      await set(ABSENT)
      await set(NO_WAIT)
      await waitFor('a commit to return', 5000, async () => (await commitReturns()) || null)
    })

    test('with its checkpointer stopped, PostgreSQL says that commits wait while they return; the change is not made', async () => {
      const checkpointer = await server.process('checkpointer')
      pause(checkpointer)
      await setByHand(ABSENT)
      assert.equal(await commitReturns(), true)
      await assert.rejects(proveCommitsWait(server.target), late('the checkpointer'))
      await assert.rejects(set(N2), late('the checkpointer'))
      assert.deepEqual(await ruleNow(), ABSENT, 'the rule from before is set again')
      resume(checkpointer)
      await proveCommitsWait(server.target)
      await set(N2)
      assert.deepEqual(await ruleNow(), N2)
    })

    test('it is not enough that commits still wait, if they were to stop waiting', async () => {
      await set(ABSENT)
      const checkpointer = await server.process('checkpointer')
      pause(checkpointer)
      await setByHand(NO_WAIT)
      assert.equal(await commitReturns(), false)
      await assert.rejects(set(ABSENT), late('the checkpointer'))
      assert.deepEqual(await ruleNow(), NO_WAIT)
      resume(checkpointer)
      await set(ABSENT)
    })

    test('a WAL sender that still lets commits go by the former rule', async () => {
      await set(N2)
      const walSender = await server.process('walsender')
      pause(walSender)
      await assert.rejects(set(ABSENT), late('a WAL sender'))
      assert.deepEqual(await ruleNow(), N2)
      resume(walSender)
      await set(ABSENT)
      assert.equal(await commitReturns(), false)
    })

    test('a session that is lost while commits are held leaves the former rule', async () => {
      await set(N2)
      const walSender = await server.process('walsender')
      pause(walSender)
      const change = server.connected(async (own) => {
        await own.query(`select set_config('application_name', 'lost', false)`)
        await setCommitRule(own, server.target, ABSENT)
      })
      const failed = assert.rejects(change)
      await waitFor(
        'commits to be held',
        5000,
        async () => (await ruleNow()).standbys.length === 0 || null,
        5,
      )
      await server.ask(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'`,
      )
      await failed
      assert.deepEqual(await ruleNow(), N2)
      resume(walSender)
    })

    test('a run that was killed halfway is finished by the next one', async () => {
      await setByHand(HOLD)
      assert.equal(await commitReturns(), false)
      await set(N2)
      assert.equal(await commitReturns(), true)
    })

    test('if it is set that commits do not wait, there is nothing to prove', () =>
      proveCommitsWait(server.target))

    test('the proof for a new primary takes milliseconds', async (t) => {
      await setByHand(ABSENT)
      await proveCommitsWait(server.target)
      const took: number[] = []
      for (let round = 0; round < 20; round += 1) {
        const started = performance.now()
        await proveCommitsWait(server.target)
        took.push(performance.now() - started)
      }
      took.sort((one, other) => one - other)
      t.diagnostic(`proof: half ${Math.round(took[10] ?? 0)} ms, the longest ${Math.round(took[19] ?? 0)} ms`)
    })

    test('no session is left waiting', async () => {
      await set(ABSENT)
      await proveCommitsWait(server.target)
      const waiting = `select from pg_stat_activity where wait_event = 'SyncRep'`
      await waitFor('all to have gone', 5000, async () => (await server.ask(waiting)).length === 0 || null)
    })

    test('clients are hardly held by a change', async (t) => {
      await set(N2)
      const writer = writing(server)
      const took: number[] = []
      for (let change = 0; change < 20; change += 1) {
        const started = performance.now()
        await set(change % 2 === 0 ? N2_OR_N3 : N2)
        took.push(performance.now() - started)
      }
      const gaps = (await writer.stop()).sort((one, other) => one - other)
      const { length } = gaps
      const figure = (share: number) => `${Math.round(gaps[Math.floor((length - 1) * share)] ?? 0)} ms`
      t.diagnostic(
        `${length} commits beside 20 changes: half ${figure(0.5)}, the longest ${figure(1)}; a change takes ${Math.round(Math.max(...took))} ms at most`,
      )
      // Each change holds one commit of this client. A busy host makes some of them longer.
      const half = gaps.slice(-took.length)[took.length / 2] ?? 0
      assert.ok(half < HELD_MS, `half of the changes held a client for ${Math.round(half)} ms or more`)
    })
  })

/** A client that writes all the time. @returns by `stop`, how long it waited for each commit, in milliseconds. */
function writing(server: TestServer): { stop(): Promise<number[]> } {
  let stopped = false
  const waited: number[] = []
  const written = server.connected(async (client: Connection) => {
    while (!stopped) {
      const started = performance.now()
      await client.query(`select pg_logical_emit_message(true, 'test', 'written')`)
      waited.push(performance.now() - started)
    }
  })
  return {
    async stop() {
      stopped = true
      await written
      return waited
    },
  }
}
