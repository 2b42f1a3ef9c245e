/** What a candidate concludes from a primary that answers late or not at all, on real sockets. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Primary } from '../../../lib/consul/manifest.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { SILENT_MS, type Testimony } from '../../../lib/postgresql/decide-failover.ts'
import { PRIMARY_PROBE_MS, PROBE_AGAIN_MS, Witness } from '../../../lib/postgresql/witness.ts'
import { published } from '../support/documents.ts'
import { fatal, serverThat } from '../support/wire.ts'

const STARTING = { role: 'alive', sqlstate: '57P03', says: 'the database system is starting up' } as const

/** A machine that answers after so long; null: never. @returns its primary, and how many connections have asked. */
async function machineThat(answersAfterMs: number | null) {
  let questions = 0
  const ask = (socket: Socket): void => {
    questions += 1
    if (answersAfterMs !== null) setTimeout(fatal(STARTING.sqlstate, STARTING.says), answersAfterMs, socket)
  }
  const port = await serverThat(ask, () => {})
  return { primary: { ...published('n1', 3, 7), address: '127.0.0.1', port }, questions: () => questions }
}

async function look(witness: Witness, primary: Primary, underLock: boolean): Promise<Testimony> {
  await witness.ask(primary, underLock)
  return witness.testimony()
}

/** On a busy host even a quick answer may come after the first look. */
const untilAnswered = (witness: Witness, primary: Primary): Promise<Testimony> =>
  waitFor(
    'an answer',
    5000,
    async () => {
      const testimony = await look(witness, primary, false)
      return testimony.primaryDatabase === UNKNOWN ? null : testimony
    },
    10,
  )

describe('a witness of a primary that was asked before', () => {
  test('its silence counts from then, once it is asked again', async () => {
    const { primary, questions } = await machineThat(null)
    const { silentMs } = await look(new Witness(() => 100), primary, false)
    assert.ok(silentMs >= PRIMARY_PROBE_MS - 5, `silent for ${silentMs} ms`)
    await waitFor('the question', 5000, async () => questions() === 1 || null)
  })

  test('but not so much of it that the question of this run has less time than the first one', async () => {
    const { primary } = await machineThat(null)
    const { silentMs } = await look(new Witness(() => 1900), primary, false)
    assert.ok(silentMs >= SILENT_MS - PRIMARY_PROBE_MS && silentMs < SILENT_MS, `silent for ${silentMs} ms`)
  })

  test('an answer that comes while others are asked still counts', async () => {
    const { primary, questions } = await machineThat(1)
    const witness = new Witness(() => PRIMARY_PROBE_MS)
    await witness.ask(primary, false)
    const { silentMs } = await waitFor('the answer', 5000, async () => {
      const testimony = witness.testimony()
      return testimony.primaryDatabase === UNKNOWN ? null : testimony
    })
    assert.deepEqual([silentMs, questions()], [0, 1])
  })

  test('it is waited for as long as if this run had asked', async () => {
    const { primary } = await machineThat(null)
    const waited = async (before: number | null): Promise<number> => {
      const begun = performance.now()
      await new Witness(() => before).ask(primary, false)
      return performance.now() - begun
    }
    assert.ok((await waited(null)) >= PRIMARY_PROBE_MS - 5)
    const [none, some] = [await waited(PRIMARY_PROBE_MS), await waited(PRIMARY_PROBE_MS - 150)]
    assert.ok(none < some && some >= 150 - 5, `${none} and ${some} ms`)
  })

  test('but not when it has answered that question meanwhile', async () => {
    const { primary } = await machineThat(null)
    let before: number | null = 400
    const witness = new Witness(() => before)
    await witness.ask(primary, false)
    before = null
    const { silentMs } = await look(witness, primary, true)
    assert.ok(silentMs >= PROBE_AGAIN_MS - 5 && silentMs < 400, `silent for ${silentMs} ms`)
  })

  test('nor after an answer', async () => {
    const { primary } = await machineThat(1)
    const { silentMs, hasAnswered } = await untilAnswered(new Witness(() => 400), primary)
    assert.deepEqual([silentMs, hasAnswered], [0, true])
  })
})

describe('the witness', () => {
  test('an answer', async () => {
    const { primary } = await machineThat(1)
    const { primaryDatabase, silentMs, hasAnswered } = await untilAnswered(new Witness(), primary)
    assert.deepEqual(primaryDatabase, STARTING)
    assert.deepEqual([silentMs, hasAnswered], [0, true])
  })

  test('an answer that comes after the look still counts, once, at a later look', async () => {
    const { primary, questions } = await machineThat(PRIMARY_PROBE_MS * 2)
    const witness = new Witness()
    const first = await look(witness, primary, false)
    assert.deepEqual([first.primaryDatabase, first.hasAnswered], [UNKNOWN, false])
    assert.ok(first.silentMs >= PRIMARY_PROBE_MS - 5, `silent for ${first.silentMs} ms`)
    const late = await untilAnswered(witness, primary)
    assert.deepEqual([late.silentMs, late.hasAnswered, questions()], [0, true, 1])
    const again = await look(witness, primary, false)
    assert.deepEqual([again.primaryDatabase, again.hasAnswered, questions()], [UNKNOWN, true, 2])
  })

  test('a silent machine is asked a second time under the lock, and its silence grows', async () => {
    const { primary, questions } = await machineThat(null)
    const witness = new Witness()
    const looks = [false, false, true, true]
    const silences: number[] = []
    for (const underLock of looks) silences.push((await look(witness, primary, underLock)).silentMs)
    assert.equal(questions(), 2)
    assert.deepEqual(
      silences,
      [...silences].sort((a, b) => a - b),
    )
    assert.ok((silences.at(-1) ?? 0) >= PRIMARY_PROBE_MS + PROBE_AGAIN_MS - 5)
  })

  test('once the lock is taken it is asked at once, and the look under it waits only for the rest of the time', async () => {
    const { primary, questions } = await machineThat(null)
    const witness = new Witness()
    await witness.ask(primary, false)
    const taken = performance.now()
    witness.askUnderLock(primary)
    await pause(PROBE_AGAIN_MS - 40)
    const begun = performance.now()
    await witness.ask(primary, true)
    const [waited, since] = [performance.now() - begun, performance.now() - taken]
    assert.ok(since >= PROBE_AGAIN_MS - 5 && waited < PROBE_AGAIN_MS - 5, `${waited} ms, ${since} ms in all`)
    await waitFor('the questions', 5000, async () => questions() === 2 || null)
  })

  test('a question that is given up does not end the wait for the answer to a later one', async () => {
    const { primary } = await machineThat(null)
    const witness = new Witness()
    await witness.ask(primary, false)
    // A question is given up after a second.
    await pause(950 - PRIMARY_PROBE_MS)
    const begun = performance.now()
    await witness.ask(primary, true)
    const waited = performance.now() - begun
    assert.ok(waited >= PROBE_AGAIN_MS - 5, `${waited} ms`)
  })

  test('after an answer what was asked before counts no more', async () => {
    const { primary } = await machineThat(1)
    const witness = new Witness(() => 1000)
    await untilAnswered(witness, primary)
    witness.askUnderLock(primary)
    const { silentMs } = witness.testimony()
    assert.ok(silentMs < SILENT_MS - PRIMARY_PROBE_MS, `silent for ${silentMs} ms`)
  })

  test('if another machine took the lock instead, it is asked again under a later one', async () => {
    const { primary, questions } = await machineThat(null)
    const witness = new Witness()
    await witness.ask(primary, false)
    witness.askUnderLock(primary)
    await witness.ask(primary, false)
    await witness.ask(primary, true)
    await waitFor('the questions', 5000, async () => questions() === 3 || null)
  })

  test('another primary is asked anew', async () => {
    const [silent, alive] = await Promise.all([machineThat(null), machineThat(1)])
    const witness = new Witness()
    await witness.ask(silent.primary, false)
    assert.equal((await untilAnswered(witness, { ...alive.primary, epoch: 8 })).hasAnswered, true)
    const { hasAnswered } = await look(witness, silent.primary, false)
    assert.equal(hasAnswered, false)
  })
})
