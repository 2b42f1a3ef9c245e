/** The Consul agent of the primary's machine is away. Promises S1, S5 and S6. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '../../lib/core/wait.ts'
import { AGENT_AWAY_MS } from '../../lib/postgresql/decide-failover.ts'
import {
  addressOf,
  poolerTarget,
  primaryAndStandbys,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
} from './lib/cluster.ts'
import type { Lab } from './lib/lab.ts'
import { ownCluster } from './lib/own-cluster.ts'
import { Writer } from './lib/writer.ts'

/** The goal is a second (`npm run bench`); the rest is what a busy host may take. */
const UNNOTICED_MS = 3000
/** An upgrade of Consul that is slow. */
const UPGRADE_MS = 60_000
/** To take the lock, to fence and to be published, on a busy host. */
const FAILOVER_MS = 60_000
let lab: Lab
let password: string

ownCluster('agent-away', (own, ownPassword) => {
  lab = own
  password = ownPassword
})

async function cast(): Promise<{ primary: string; other: string; standbys: string[] }> {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n2')
  return { primary, standbys, other: standbys[0] as string }
}

const timeline = (): Promise<string> =>
  sqlThroughVirtualIp(lab, password, 'select timeline_id from pg_control_checkpoint()')

/** Writes from before something is done until it has ended. */
async function writeWhile<T>(during: () => Promise<T>): Promise<{ result: T; writer: Writer }> {
  const last = await sqlThroughVirtualIp(lab, password, 'select coalesce(max(value), 0) from written')
  const writer = await Writer.start(lab, password, Number(last))
  try {
    return { result: await during(), writer }
  } finally {
    await writer.stop()
  }
}

async function assertNothingLost(writer: Writer): Promise<void> {
  const rows = await sqlThroughVirtualIp(lab, password, 'select value from written')
  const found = new Set(rows.split('\n').map(Number))
  assert.deepEqual(
    writer.acknowledged.filter(({ value }) => !found.has(value)),
    [],
  )
}

test('it is away for a minute: clients notice nothing, and nobody else leads', async () => {
  const { primary, standbys, other } = await cast()
  const before = await timeline()
  const { writer } = await writeWhile(async () => {
    await lab.exec(primary, ['systemctl', 'stop', 'consul'])
    await waitFor(
      'the lock to be free',
      30_000,
      async () => (await statusFrom(lab, other)).primary === null || null,
    )
    await pause(UPGRADE_MS)
    for (const machine of standbys) assert.equal(await poolerTarget(lab, machine), addressOf(lab, primary))
    await lab.exec(primary, ['systemctl', 'start', 'consul'])
    await untilHealthy(lab, other)
  })
  console.log(`agent away: longest gap ${writer.longestGapMs()} ms`)
  assert.equal((await statusFrom(lab, other)).primary, primary)
  assert.equal(await timeline(), before)
  assert.ok(writer.longestGapMs() <= UNNOTICED_MS, `${writer.longestGapMs()} ms without a write`)
  await assertNothingLost(writer)
})

test('the primary dies while its agent is away: a standby takes over', async () => {
  const { primary, other } = await cast()
  const { writer, result } = await writeWhile(async () => {
    await lab.exec(primary, ['systemctl', 'stop', 'consul'])
    await waitFor(
      'the lock to be free',
      30_000,
      async () => (await statusFrom(lab, other)).primary === null || null,
    )
    await lab.poweroff(primary)
    const next = await waitFor(
      'another primary',
      FAILOVER_MS,
      async () => (await statusFrom(lab, other)).primary,
    )
    await lab.poweron(primary)
    return next
  })
  assert.notEqual(result, primary)
  console.log(`the primary dies while its agent is away: longest gap ${writer.longestGapMs()} ms`)
  await assertNothingLost(writer)
})

test('it stays away: a standby takes over in the end', async () => {
  const { primary, other } = await cast()
  const started = performance.now()
  const { writer, result } = await writeWhile(async () => {
    await lab.exec(primary, ['systemctl', 'stop', 'consul'])
    const next = await waitFor('another primary', AGENT_AWAY_MS + FAILOVER_MS, async () => {
      const { primary: now } = await statusFrom(lab, other)
      return typeof now === 'string' && now !== primary ? now : null
    })
    const tookMs = performance.now() - started
    await lab.exec(primary, ['systemctl', 'start', 'consul'])
    await untilHealthy(lab, other)
    return { next, tookMs }
  })
  console.log(
    `agent away for good: ${result.next} leads after ${Math.round(result.tookMs)} ms, longest gap ${writer.longestGapMs()} ms`,
  )
  assert.ok(result.tookMs >= AGENT_AWAY_MS, 'a standby took over before the agent had its time')
  await assertNothingLost(writer)
})
