/** A cluster of three loses machines, daemons and locks, and gets over it. Promises S3, S4, S6, S7 and S8. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN } from '../../lib/core/unknown.ts'
import { waitFor } from '../../lib/core/wait.ts'
import type { StatusDocument } from '../../lib/status/facts.ts'
import { byHand, fingerprintOf, hereOn, runBesideKilled } from './lib/by-hand.ts'
import {
  addressOf,
  holdersOf,
  poolerTarget,
  sqlAsPostgres,
  sqlOnLocalhost,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
  untilWritable,
} from './lib/cluster.ts'
import { run } from './lib/host.ts'
import type { Lab } from './lib/lab.ts'
import { machineNamespacePath } from './lib/network.ts'
import { ownCluster } from './lib/own-cluster.ts'
import { Writer } from './lib/writer.ts'

const name = 'failover'
const all = ['n1', 'n2', 'n3']
/** From the power cut to the first acknowledged write. */
const OUTAGE_MS = 10_000
const POSTGRESQL = 'postgresql@17-main'
let lab: Lab
let password: string

ownCluster(name, (own, ownPassword) => {
  lab = own
  password = ownPassword
})

const epochOf = ({ published }: StatusDocument): number => {
  assert.ok(published !== UNKNOWN && published !== null, 'nobody is published')
  return published.epoch
}
const timelinesOf = ({ machines }: StatusDocument): unknown[] =>
  machines.map(({ postgresql }) =>
    postgresql !== UNKNOWN && 'timeline' in postgresql ? postgresql.timeline : null,
  )
const primaryIn = (status: StatusDocument): string => {
  const [primary] = status.machines.filter(
    ({ postgresql }) => postgresql !== UNKNOWN && postgresql.role === 'primary',
  )
  assert.ok(primary, 'there is no primary')
  return primary.name
}
const others = (machine: string): string[] => all.filter((candidate) => candidate !== machine)

/** The addresses Consul's DNS gives for a name, asked on a machine. */
async function resolve(machine: string, host: string): Promise<string[]> {
  const script = `const r = new (require('node:dns').promises.Resolver)(); r.setServers(['127.0.0.1:8600'])
    r.resolve4('${host}').then((found) => console.log(JSON.stringify(found.sort())), () => console.log('[]'))`
  return JSON.parse((await lab.exec(machine, ['node', '-e', script])).stdout) as string[]
}

async function untilDnsAgrees(machine: string, primary: string): Promise<void> {
  await waitFor('DNS names the primary and the standbys', 20_000, async () => {
    const [one, more] = await Promise.all([
      resolve(machine, 'primary.postgresql.service.consul'),
      resolve(machine, 'standby.postgresql.service.consul'),
    ])
    const standbys = others(primary).map((other) => addressOf(lab, other))
    if (one.join() === addressOf(lab, primary) && more.join() === standbys.join()) return true
    throw new Error(`primary: ${one}, standby: ${more}`)
  })
}

/** Looks again and again where the PgBouncers of these machines send their clients, and keeps every change. */
function recordTargets(machines: readonly string[]): { stop(): Promise<Map<string, string[]>> } {
  const seen = new Map<string, string[]>(machines.map((machine) => [machine, []]))
  let stopped = false
  const watching = Promise.all(
    machines.map(async (machine) => {
      while (!stopped) {
        const target = await poolerTarget(lab, machine)
        if (seen.get(machine)?.at(-1) !== target) seen.get(machine)?.push(target)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }),
  )
  return {
    async stop() {
      stopped = true
      await watching
      return seen
    },
  }
}

test('a cluster is in order: one primary, the virtual IP with it, every PgBouncer on it, DNS', async () => {
  const primary = primaryIn(await untilHealthy(lab, 'n2'))
  assert.deepEqual(await holdersOf(lab, all), [primary])
  for (const machine of all) {
    assert.equal(await poolerTarget(lab, machine), addressOf(lab, primary))
    assert.equal(await sqlOnLocalhost(lab, machine, 'select pg_is_in_recovery()'), 'f')
  }
  await untilDnsAgrees('n3', primary)
})

test('every handler may run twice, beside itself and be killed anywhere, and nothing changes', async () => {
  const primary = primaryIn(await untilHealthy(lab, 'n1'))
  const before = await fingerprintOf(lab, all)
  for (const handler of byHand) {
    for (const machine of all) {
      const here = await hereOn(lab, machine, primary)
      for (const { exitCode, stdout, stderr } of await runBesideKilled(lab, machine, handler, here)) {
        const wanted = handler.exitCode?.(here) ?? 0
        assert.equal(exitCode, wanted, `${handler.handler} on ${machine}: ${stdout}\n${stderr}`)
      }
    }
    assert.deepEqual(await fingerprintOf(lab, all), before, `${handler.handler} has changed something`)
  }
  await untilHealthy(lab, 'n1')
})

test('power cut of the active machine: the client writes again in time, and nothing it was told is lost', async () => {
  const old = primaryIn(await untilHealthy(lab, 'n2'))
  const survivors = others(old)
  const writer = await Writer.start(lab, password)
  await waitFor('100 writes', 20_000, async () => writer.acknowledged.length >= 100 || null)
  const seen = recordTargets(survivors)
  const { killedAt } = await lab.poweroff(old)
  await writer.untilWritten(killedAt + 50, 60_000)
  const count = writer.acknowledged.length
  await waitFor('100 more writes', 20_000, async () => writer.acknowledged.length >= count + 100 || null)
  await writer.stop()

  const gapMs = writer.longestGapMs()
  console.log(`power cut: longest gap between acknowledged writes ${gapMs} ms`)
  assert.ok(gapMs < OUTAGE_MS, `no acknowledged write for ${gapMs} ms`)
  const values = writer.acknowledged.map(({ value }) => value)
  const found = await sqlThroughVirtualIp(
    lab,
    password,
    `select count(*) from written where value in (${values.join(',')})`,
  )
  assert.equal(Number(found), values.length)

  // Consul may have lost its own leader with the machine: for a moment a status knows less than PgBouncer does.
  const status = await waitFor('a survivor to see the new primary', 10_000, async () => {
    const found = await statusFrom(lab, survivors[0] as string)
    if (typeof found.primary === 'string') return found
    throw new Error(found.problems.join('; '))
  })
  const primary = primaryIn(status)
  assert.notEqual(primary, old)
  assert.ok(!status.healthy)
  // No two servers acknowledged in overlapping periods.
  const servers = writer.acknowledged.map(({ server }) => server)
  assert.deepEqual([...new Set(servers)], [addressOf(lab, old), addressOf(lab, primary)])
  assert.ok(servers.indexOf(addressOf(lab, primary)) > servers.lastIndexOf(addressOf(lab, old)))

  // Each PgBouncer went from the old primary to the new one, and held its clients in between: never to anyone else.
  for (const [machine, targets] of await seen.stop()) {
    const [from, held, to] = [addressOf(lab, old), '127.0.0.1', addressOf(lab, primary)]
    assert.deepEqual(targets, targets.includes(held) ? [from, held, to] : [from, to], machine)
  }

  await waitFor(
    'the virtual IP is with the primary',
    20_000,
    async () => (await holdersOf(lab, survivors)).join() === primary || null,
  )
  for (const machine of survivors) {
    assert.equal(await poolerTarget(lab, machine), addressOf(lab, primary))
    assert.equal(await sqlOnLocalhost(lab, machine, 'select pg_is_in_recovery()'), 'f')
  }
})

test('a former primary that is powered on again comes back as a standby by itself', async () => {
  const old = primaryIn(await untilHealthy(lab, 'n2'))
  const [observer] = others(old) as [string]
  await lab.poweroff(old)
  await untilWritable(lab, password, 60_000)
  const primary = primaryIn(await statusFrom(lab, observer))
  assert.notEqual(primary, old)
  await lab.poweron(old)
  const status = await untilHealthy(lab, old)
  assert.equal(primaryIn(status), primary)
  await untilDnsAgrees(old, primary)
  // It has what was written in its absence, and no slots of the time when it was the primary.
  await waitFor('it has all rows', 10_000, async () => {
    const [here, there] = await Promise.all([
      sqlAsPostgres(lab, old, 'select count(*) from written'),
      sqlAsPostgres(lab, primary, 'select count(*) from written'),
    ])
    return here === there || null
  })
  assert.equal(await sqlAsPostgres(lab, old, 'select count(*) from pg_replication_slots'), '0')
})

test('a killed postmaster is started again in place: no failover', async () => {
  const before = await statusFrom(lab, 'n2')
  const primary = primaryIn(before)
  const pid = (
    await lab.exec(primary, ['systemctl', 'show', '--property=MainPID', '--value', 'postgresql@17-main'])
  ).stdout.trim()
  await lab.exec(primary, ['kill', '-KILL', pid])
  await untilWritable(lab, password, 30_000)
  const after = await untilHealthy(lab, 'n2')
  assert.equal(primaryIn(after), primary)
})

test('a healthy primary whose session died takes its lock back: a new epoch, the same primary', async () => {
  const before = await untilHealthy(lab, 'n2')
  const primary = primaryIn(before)
  const { stdout } = await lab.exec(primary, [
    'curl',
    '-s',
    `http://127.0.0.1:8500/v1/session/node/${primary}`,
  ])
  for (const { ID } of JSON.parse(stdout) as { ID: string }[]) {
    await lab.exec(primary, ['curl', '-s', '-X', 'PUT', `http://127.0.0.1:8500/v1/session/destroy/${ID}`])
  }
  const after = await waitFor('a new epoch', 40_000, async () => {
    const status = await statusFrom(lab, 'n2')
    if (status.healthy && epochOf(status) > epochOf(before)) return status
    throw new Error(status.problems.join('; ') || 'still the old epoch')
  })
  assert.equal(primaryIn(after), primary)
  assert.deepEqual(timelinesOf(after), timelinesOf(before))
})

/** Our own client of Consul, beside the agent of a machine: takes a lock of its own as it was seen, and as it was before. */
const LOCKS = (library: string): string => `
  const [{ Consul }, { consulKeys }] = await Promise.all(['consul/client', 'consul/manifest'].map((name) => import('${library}' + name + '.mjs')))
  const consul = new Consul()
  const key = { ...consulKeys.leader, path: 'test/lock' }
  const value = { schema: 1, node: 'n1', since: new Date().toISOString(), why: 'a test' }
  const make = (name) => consul.createSession({ name, nodeChecks: ['serfHealth'], serviceChecks: [] })
  const [one, other] = [await make('test-one'), await make('test-other')]
  const seen = async () => (await consul.get(key)).modifyIndex
  const first = await consul.acquire(key, value, one, 0)
  const then = await seen()
  const never = await consul.acquire(key, value, other, 0)
  const held = await consul.acquire(key, value, other, then)
  await consul.release(key, value, one)
  const late = await consul.acquire(key, value, other, then)
  const fresh = await consul.acquire(key, value, other, await seen())
  const publish = (session) => consul.transaction([
    { verb: 'check-session', key: key.path, session },
    { verb: 'set', key: 'test/published', value },
  ])
  const [replaced, holder] = [await publish(one), await publish(other)]
  await consul.delete({ path: 'test/published' })
  for (const session of [one, other]) await consul.destroySession(session)
  await consul.delete(key)
  console.log(JSON.stringify({ first, never, held, late, fresh, replaced, holder }))
  process.exit()`

test('a lock is taken only as it was seen, and only its holder publishes', async () => {
  const library = new URL('../../dist/lib/', import.meta.url).href
  const inMachine = ['nsenter', `--net=${machineNamespacePath(name, 'n1')}`]
  const told = await run([...inMachine, 'node', '--input-type=module', '--eval', LOCKS(library)])
  assert.deepEqual(JSON.parse(told), {
    ...{ first: true, never: false, held: false, late: false, fresh: true },
    ...{ replaced: false, holder: true },
  })
})

test('repmgrd is the second initiator: it promotes where the watch cannot', async (t) => {
  const primary = primaryIn(await untilHealthy(lab, 'n2'))
  const survivors = others(primary)
  const onSurvivors = async (verb: 'mask' | 'unmask') => {
    for (const machine of survivors)
      await lab.exec(machine, ['systemctl', verb, '--runtime', 'understudy-failover.service'])
  }
  await onSurvivors('mask')
  t.after(() => onSurvivors('unmask'))
  await lab.poweroff(primary)
  const promoted = await waitFor('repmgrd promotes a standby', 60_000, async () => {
    for (const machine of survivors)
      if ((await sqlAsPostgres(lab, machine, 'select pg_is_in_recovery()')) === 'f') return machine
    return null
  })
  await untilWritable(lab, password, 30_000)
  const log = (
    await lab.exec(promoted, ['journalctl', '--no-pager', '-o', 'cat', '-u', 'understudy-repmgrd'])
  ).stdout
  assert.match(log, /"handler":"failover".*"do":"promote"/)
  await onSurvivors('unmask')
  await lab.poweron(primary)
  assert.equal(primaryIn(await untilHealthy(lab, promoted)), promoted)
})

test('a run of the gate or of follow that dies is repeated at once: clients do not wait for the periodic check', async (t) => {
  const primary = primaryIn(await untilHealthy(lab, 'n2'))
  const survivors = others(primary)
  const units = ['failover', 'follow'].map((handler) => `understudy-${handler}.service`)
  const dropIn = (unit: string) => `/run/systemd/system/${unit}.d/dies-once.conf`
  const times = (unit: string) => `/var/lib/postgresql/starts-of-${unit}`
  const onSurvivors = async (script: (unit: string) => string) => {
    for (const machine of survivors)
      await lab.exec(machine, ['sh', '-euc', `${units.map(script).join('\n')}\nsystemctl daemon-reload`])
  }
  t.after(() => onSurvivors((unit) => `rm -f ${dropIn(unit)} ${times(unit)}`))
  // The first start of each fails, and every one notes when it was.
  await onSurvivors(
    (unit) => `mkdir -p $(dirname ${dropIn(unit)})
      echo '[Service]\nExecStartPre=/bin/sh -c "date +%%s%%3N >> ${times(unit)}; [ $$(wc -l < ${times(unit)}) -gt 1 ]"' > ${dropIn(unit)}`,
  )
  const writer = await Writer.start(lab, password, 3_000_000)
  const { killedAt } = await lab.poweroff(primary)
  await writer.untilWritten(killedAt + 50, OUTAGE_MS)
  await writer.stop()
  console.log(`runs that die once: longest gap between acknowledged writes ${writer.longestGapMs()} ms`)
  const startsOf = async (machine: string, unit: string): Promise<number[]> => {
    const { stdout } = await lab.exec(machine, ['cat', times(unit)], { reject: false })
    return stdout.trim().split('\n').filter(Boolean).map(Number)
  }
  const died: string[] = []
  for (const machine of survivors) {
    for (const unit of units) {
      if ((await startsOf(machine, unit)).length === 0) continue
      died.push(unit)
      const [first = 0, second = 0] = await waitFor(
        `${unit} starts again on ${machine}`,
        20_000,
        async () => {
          const starts = await startsOf(machine, unit)
          return starts.length > 1 ? starts : null
        },
      )
      assert.ok(second - first < 3000, `${unit} on ${machine} started again after ${second - first} ms`)
    }
  }
  assert.deepEqual([...new Set(died)].sort(), units)
  await lab.poweron(primary)
  await untilHealthy(lab, survivors[0] as string)
})

for (const [title, fault, cure, from] of [
  [
    'loses power',
    (machine: string) => lab.poweroff(machine),
    (machine: string) => lab.poweron(machine),
    4_000_000,
  ],
  [
    'lives on without its database',
    // Masked: else the periodic check may start it again before another machine leads, and nobody need take over.
    (machine: string) => lab.exec(machine, ['systemctl', 'mask', '--runtime', '--now', POSTGRESQL]),
    (machine: string) => lab.exec(machine, ['systemctl', 'unmask', '--runtime', POSTGRESQL]),
    5_000_000,
  ],
] as const) {
  test(`the active machine ${title}: every client that comes then is answered, also one without patience of its own`, async () => {
    const primary = primaryIn(await untilHealthy(lab, 'n2'))
    const survivors = others(primary)
    const addresses = survivors.map((machine) => addressOf(lab, machine))
    let moved = 0
    /** @returns the address of the database that has taken the row, or why there is none. */
    const ask = async (value: number): Promise<string> => {
      const insert = `insert into written (value) values (${value}) returning host(inet_server_addr())`
      const answer = await sqlThroughVirtualIp(lab, password, insert, {
        connectS: 0,
        timeoutMs: 45_000,
      }).catch(({ message }) => (/no end after/.test(message) ? 'left waiting' : 'sent away'))
      if (addresses.includes(answer)) moved += 1
      return answer
    }
    await fault(primary)
    const clients: Promise<string>[] = []
    await waitFor('clients are served by another machine', 60_000, async () => {
      clients.push(ask(from + clients.length))
      return moved >= 5 || null
    })
    const answers = await Promise.all(clients)
    const count = (answer: string): number => answers.filter((one) => one === answer).length
    console.log(`${title}: ${answers.length} clients, ${count('sent away')} sent away`)
    assert.equal(count('left waiting'), 0)
    await cure(primary)
    const after = await untilHealthy(lab, survivors[0] as string)
    assert.notEqual(primaryIn(after), primary)
  })
}

test('nothing is promoted without a quorum; when a majority is back, the cluster has a primary again', async () => {
  const primary = primaryIn(await untilHealthy(lab, 'n2'))
  const [alone, second] = others(primary) as [string, string]
  await Promise.all([lab.poweroff(primary), lab.poweroff(second)])
  // Long enough for every way in which a standby could come to be promoted: detection, repmgrd, two periodic runs.
  const until = Date.now() + 35_000
  while (Date.now() < until) {
    assert.equal(
      await sqlAsPostgres(lab, alone, 'select pg_is_in_recovery()'),
      't',
      'promoted without a quorum',
    )
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  await lab.poweron(second)
  const promoted = await waitFor('a standby is promoted', 60_000, async () => {
    for (const machine of [alone, second]) {
      if ((await sqlAsPostgres(lab, machine, 'select pg_is_in_recovery()').catch(() => 't')) === 'f')
        return machine
    }
    return null
  })
  await untilWritable(lab, password, 30_000)
  await lab.poweron(primary)
  assert.equal(primaryIn(await untilHealthy(lab, promoted)), promoted)
})

test('a malformed document in Consul is one clear error; nothing changes, and the database goes on', async () => {
  const primary = primaryIn(await untilHealthy(lab, 'n2'))
  const url = 'http://127.0.0.1:8500/v1/kv/understudy/postgresql/primary'
  const good = (await lab.exec('n1', ['curl', '-s', `${url}?raw`])).stdout
  await lab.exec('n1', ['curl', '-s', '-X', 'PUT', '--data', '{"schema":1,"node":"somebody"}', url])
  try {
    for (const handler of ['pooler', 'virtual-ip-weight', 'service-tag']) {
      const { exitCode, stderr } = await lab.exec(
        'n1',
        ['runuser', '-u', 'consul', '--', `/usr/lib/understudy/handlers/${handler}`],
        { reject: false },
      )
      assert.equal(exitCode, 65, handler)
      assert.match(stderr, /postgresql\/primary is malformed/)
    }
    assert.equal(await poolerTarget(lab, 'n1'), addressOf(lab, primary))
    assert.deepEqual(await holdersOf(lab, all), [primary])
    // At once: one try.
    await untilWritable(lab, password, 0)
  } finally {
    await lab.exec('n1', ['curl', '-s', '-X', 'PUT', '--data', good, url])
  }
  await untilHealthy(lab, 'n1')
})

for (const [title, fault, cure, from] of [
  ['is frozen and thaws', 'freeze', 'thaw', 1_000_000],
  ['has its cable pulled and plugged in again', 'cut', 'heal', 2_000_000],
] as const) {
  test(`the active machine ${title}: it acknowledges nothing any more, and comes back as a standby`, async () => {
    const primary = primaryIn(await untilHealthy(lab, 'n2'))
    const [observer] = others(primary) as [string]
    const writer = await Writer.start(lab, password, from)
    await lab[fault](primary)
    await writer.untilWritten(Date.now() + 1000, 60_000)
    // Long enough for it to have missed everything.
    const count = writer.acknowledged.length
    await waitFor('1500 more writes', 60_000, async () => writer.acknowledged.length >= count + 1500 || null)
    await lab[cure](primary)
    // Whatever wakes first on it: a run of the gate finds the lock held, by another.
    await lab.exec(primary, ['systemctl', 'start', 'understudy-failover.service'], { reject: false })
    const after = await untilHealthy(lab, observer, 120_000)
    await writer.stop()

    console.log(`${fault}: longest gap between acknowledged writes ${writer.longestGapMs()} ms`)
    const values = writer.acknowledged.map(({ value }) => value)
    const found = `select count(*) from written where value in (${values.join(',')})`
    assert.equal(Number(await sqlThroughVirtualIp(lab, password, found)), values.length)
    const servers = writer.acknowledged.map(({ server }) => server)
    const changes = servers.filter((server, index) => server !== servers[index - 1])
    assert.deepEqual(changes, [addressOf(lab, primary), addressOf(lab, primaryIn(after))])
  })
}

test('handlers that are killed again and again all through a failover only delay it', async () => {
  const primary = primaryIn(await untilHealthy(lab, 'n2'))
  const survivors = others(primary)
  const killing = `end=$(($(date +%s) + 8)); while [ $(date +%s) -lt $end ]; do
    pkill -KILL -f '^/usr/bin/node /usr/lib/understudy/handlers/'; sleep 0.3; done; true`
  const killers = survivors.map((machine) => lab.exec(machine, ['sh', '-c', killing]))
  await lab.poweroff(primary)
  await untilWritable(lab, password, 90_000)
  await Promise.all(killers)
  await lab.poweron(primary)
  const after = await untilHealthy(lab, survivors[0] as string, 120_000)
  assert.notEqual(primaryIn(after), primary)
})
