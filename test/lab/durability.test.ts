/** What commits wait for changes while PostgreSQL's processes are slow to take it over, or the run dies. Promises S1, S2 and S8. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { appPassword, primaryAndStandbys, sqlAsPostgres, sqlThroughVirtualIp } from './lib/cluster.ts'
import { upJoined } from './lib/joined.ts'
import { Lab } from './lib/lab.ts'
import { putRight } from './lib/restore.ts'
import { CREATE_TABLE } from './lib/writer.ts'

const name = 'durability'
const all = ['n1', 'n2', 'n3']
/** Ample for a failover: a standby that may be promoted has been by then. */
const FAILOVER_MS = 8000
/** A run that dies is started again after a second; then it needs a second at the most. */
const AGAIN_MS = 5000
let lab: Lab

before(async () => {
  lab = await upJoined({ name, log: console.log })
  await sqlThroughVirtualIp(lab, await appPassword(lab, 'n1'), CREATE_TABLE)
})
afterEach(async () => {
  for (const machine of all) await lab.exec(machine, ['pkill', '-CONT', '-u', 'postgres'], { reject: false })
  await putRight(lab, console.error)
})
after(() => Lab.remove(name))

const ruleOn = (machine: string): Promise<string> =>
  sqlAsPostgres(lab, machine, 'show synchronous_standby_names')
const inConsul = async (machine: string, key: string): Promise<string> =>
  (await lab.exec(machine, ['curl', '-s', `http://127.0.0.1:8500/v1/kv/understudy/postgresql/${key}`])).stdout
const votersOn = async (machine: string): Promise<string[]> =>
  (JSON.parse(await inConsul(machine, 'sync?raw')) as { voters: string[] }).voters
const upkeepOf = (machine: string): Promise<unknown> =>
  lab.exec(machine, ['systemctl', 'start', '--no-block', 'understudy-failover.service'])

/** A client on the machine itself, which no cut cable stops. It notes in a file each row that was acknowledged. */
async function writeOn(machine: string, from: number): Promise<() => Promise<number[]>> {
  const file = `/var/lib/postgresql/acknowledged-${from}`
  const script = `value=${from}; while [ ! -e ${file}.stop ]; do value=$((value + 1))
    timeout 5 psql -XAtqd app -c "insert into written (value) values ($value)" && echo $value >> ${file} || sleep 0.1; done`
  const writing = lab.exec(machine, ['runuser', '-u', 'postgres', '--', 'sh', '-c', script], {
    timeoutMs: 180_000,
    reject: false,
  })
  const acknowledged = async (): Promise<number[]> => {
    const { stdout } = await lab.exec(machine, ['cat', file], { reject: false })
    return stdout.trim().split('\n').filter(Boolean).map(Number)
  }
  await waitFor('a row to be acknowledged', 10_000, async () => (await acknowledged()).length > 0 || null)
  return async () => {
    await lab.exec(machine, ['touch', `${file}.stop`])
    await writing
    return acknowledged()
  }
}

test('a checkpointer that is stuck: nobody may be promoted before commits are seen waiting, and nothing is lost', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n2')
  for (const standby of standbys) await lab.block({ between: [primary, standby], ports: [5432] })
  await upkeepOf(primary)
  await waitFor('the primary to go on alone', 60_000, async () => (await ruleOn(primary)) === '' || null)
  await lab.exec(primary, ['pkill', '-STOP', '-u', 'postgres', '-f', 'checkpointer'])
  const stop = await writeOn(primary, 50_000_000)
  await lab.unblock()
  await waitFor('the standbys to stream', 20_000, async () => {
    const streaming = `select count(*) from pg_stat_replication where state = 'streaming'`
    return (await sqlAsPostgres(lab, primary, streaming)) === '2' || null
  })
  await upkeepOf(primary)
  const journal = ['journalctl', '--no-pager', '-o', 'cat', '-t', 'understudy', '--since', '-30s']
  await waitFor('the upkeep to have tried', 30_000, async () => {
    const { stdout } = await lab.exec(primary, journal)
    return /"failed":"commit".*checkpointer/.test(stdout) || (await votersOn(primary)).length > 0 || null
  })
  // Some rows that no standby need have.
  await lab.cut(primary)
  const [observer] = standbys as [string]
  await waitFor('the primary to lose the lock', 60_000, async () => {
    const { node } = JSON.parse(await inConsul(observer, 'leader?raw')) as { node: string }
    const [leader] = JSON.parse(await inConsul(observer, 'leader')) as { Session?: string }[]
    return leader?.Session === undefined || node !== primary || null
  })
  const promoted = await waitFor('a standby to be promoted', FAILOVER_MS, async () => {
    for (const standby of standbys)
      if ((await sqlAsPostgres(lab, standby, 'select pg_is_in_recovery()')) === 'f') return standby
    return null
  }).catch(() => null)
  await lab.exec(primary, ['pkill', '-CONT', '-u', 'postgres', '-f', 'checkpointer'], { reject: false })
  await lab.heal(primary)
  const acknowledged = await stop()
  const { primary: now } = await primaryAndStandbys(lab, 'n2')
  const rows = await sqlAsPostgres(lab, now, `select value from written where value >= 50000000`)
  const found = new Set(rows.split('\n').map(Number))
  const lost = acknowledged.filter((value) => !found.has(value))
  console.log(`stuck checkpointer: ${acknowledged.length} rows acknowledged, ${lost.length} of them lost`)
  assert.deepEqual(lost, [])
  assert.equal(promoted, null, `${promoted} was promoted`)
  assert.deepEqual((await votersOn(now)).sort(), standbys, 'then all is as before')
  assert.match(await ruleOn(now), /^ANY 1/)
})

test('a run that dies while it holds all commits: they wait for a moment only', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n2')
  const [standby] = standbys as [string]
  const walSender = await sqlAsPostgres(
    lab,
    primary,
    `select pid from pg_stat_replication where application_name = '${standby}'`,
  )
  // A rule that the upkeep has to change, and a process that is late: commits are held for a second.
  const wrong = `alter system set synchronous_standby_names = 'ANY 1 ("${standby}")'`
  await sqlAsPostgres(lab, primary, wrong)
  await sqlAsPostgres(lab, primary, 'select pg_reload_conf()')
  await waitFor(
    'the rule to be set',
    5000,
    async () => (await ruleOn(primary)) === `ANY 1 ("${standby}")` || null,
  )
  await lab.exec(primary, ['kill', '-STOP', walSender])
  await upkeepOf(primary)
  await waitFor(
    'commits to be held',
    10_000,
    async () => /understudy/.test(await ruleOn(primary)) || null,
    20,
  )
  await lab.exec(primary, ['systemctl', 'kill', '--signal=KILL', 'understudy-failover.service'])
  assert.match(await ruleOn(primary), /understudy/, 'it was killed too late')
  await lab.exec(primary, ['kill', '-CONT', walSender])
  const started = performance.now()
  await sqlAsPostgres(lab, primary, 'insert into written (value) values (60000000)')
  const heldMs = Math.round(performance.now() - started)
  console.log(`a run that dies while it holds all commits: a client was held for ${heldMs} ms`)
  assert.ok(heldMs < AGAIN_MS, `${heldMs} ms`)
  await primaryAndStandbys(lab, 'n2')
  assert.match(await ruleOn(primary), new RegExp(`^ANY 1 .*${standbys.join('.*')}`))
  assert.deepEqual((await votersOn(primary)).sort(), standbys)
})
