import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Behind } from '../../../lib/consul/behind.ts'
import { currentPrimary, unlockedPrimary } from '../../../lib/consul/leadership.ts'
import type { Primary } from '../../../lib/consul/manifest.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { renderDatabases } from '../../../lib/pooler/config.ts'
import type { Link, PoolTarget } from '../../../lib/pooler/console.ts'
import { decidePooler, type PoolerFacts, type PoolerPlan } from '../../../lib/pooler/decide.ts'
import {
  addressOf,
  leadOfN1,
  leadOfN2,
  lock,
  lockReleased,
  lockTaken,
  published,
} from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

const BEHIND: Behind = { databases: ['manager'], settings: {} }
const fileFor = (node: string): string => renderDatabases(BEHIND, { address: addressOf(node), port: 5432 })
const HELD = renderDatabases(BEHIND, null)
const runs = (host: string, port: number, paused = false, links: readonly Link[] = []) => ({
  databases: { manager: { host, port, paused } },
  links,
})
const at = (node: string, paused = false, links: readonly Link[] = []) =>
  runs(addressOf(node), 5432, paused, links)
const nowhere = (paused = false) => runs('127.0.0.1', 1, paused)
const knowsNothing = { databases: {}, links: [] }
const link = (client: string | null, node: string): Link => ({
  ...{ database: 'manager', client },
  ...{ host: addressOf(node), port: 5432 },
})

/** PgBouncer points at n1, the primary. */
const base: PoolerFacts = {
  behind: BEHIND,
  leadership: leadOfN1,
  servesUnlocked: false,
  fenced: false,
  file: fileFor('n1'),
  running: at('n1'),
}

const cases: readonly Case<PoolerFacts, PoolerPlan>[] = [
  ['All is well', {}, { do: 'nothing', why: 'PgBouncer points at n1', console: [] }],
  [
    'The primary has gone: hold the clients',
    { leadership: lockReleased },
    { do: 'hold', why: 'there is no primary', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'The lock is taken, nobody is published yet',
    { leadership: lockTaken },
    { do: 'hold', why: 'there is no primary', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'The lock of the primary is free, but it answers, and its commits wait for standbys',
    { leadership: lockReleased, servesUnlocked: true },
    { do: 'nothing', why: 'PgBouncer points at n1', console: [] },
  ],
  [
    'It was too busy to answer a moment ago',
    { leadership: lockReleased, servesUnlocked: true, file: HELD, running: at('n1', true) },
    { do: 'follow', why: 'n1 is the primary', file: fileFor('n1'), console: ['RELOAD', 'RESUME manager'] },
  ],
  [
    'Another machine has taken its lock',
    { leadership: lockTaken, servesUnlocked: true },
    { do: 'hold', why: 'there is no primary', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'The clients are held already',
    { leadership: lockReleased, file: HELD, running: at('n1', true) },
    { do: 'nothing', why: 'clients are held back: there is no primary', console: [] },
  ],
  [
    'Killed between the file and PAUSE',
    { leadership: lockReleased, file: HELD },
    { do: 'hold', why: 'there is no primary', console: ['PAUSE manager'] },
  ],
  [
    'Somebody paused it, but a start would find the former primary in the file',
    { leadership: lockReleased, running: at('n1', true) },
    { do: 'hold', why: 'there is no primary', file: HELD, console: [] },
  ],
  [
    'It was started while the clients are held, and points nowhere: the clients wait there',
    {
      leadership: lockReleased,
      file: HELD,
      running: nowhere(),
    },
    { do: 'hold', why: 'there is no primary', console: ['PAUSE manager'] },
  ],
  [
    'A new primary: turn the held clients to it',
    { leadership: leadOfN2, file: HELD, running: at('n1', true) },
    { do: 'follow', why: 'n2 is the primary', file: fileFor('n2'), console: ['RELOAD', 'RESUME manager'] },
  ],
  [
    'A new primary, and the gap between was missed',
    { leadership: leadOfN2 },
    { do: 'follow', why: 'n2 is the primary', file: fileFor('n2'), console: ['RELOAD'] },
  ],
  [
    'The same primary is back',
    { file: HELD, running: at('n1', true) },
    { do: 'follow', why: 'n1 is the primary', file: fileFor('n1'), console: ['RELOAD', 'RESUME manager'] },
  ],
  [
    'Killed between the file and RELOAD',
    { leadership: leadOfN2, file: fileFor('n2'), running: at('n1', true) },
    { do: 'follow', why: 'n2 is the primary', console: ['RELOAD', 'RESUME manager'] },
  ],
  [
    'Killed between RELOAD and RESUME',
    { leadership: leadOfN2, file: fileFor('n2'), running: at('n2', true) },
    { do: 'follow', why: 'n2 is the primary', console: ['RESUME manager'] },
  ],
  [
    'Statements are on their way to a former primary: their clients would wait for ever',
    { leadership: leadOfN2, file: HELD, running: at('n1', true, [link('7', 'n1'), link('9', 'n1')]) },
    {
      do: 'follow',
      why: 'n2 is the primary',
      file: fileFor('n2'),
      console: ['RELOAD', 'KILL_CLIENT 7', 'KILL_CLIENT 9', 'RESUME manager'],
    },
  ],
  [
    'The same with a PgBouncer that cannot end one client',
    { leadership: leadOfN2, running: at('n1', false, [link(null, 'n1')]) },
    {
      do: 'follow',
      why: 'n2 is the primary',
      file: fileFor('n2'),
      console: ['RELOAD', 'KILL manager', 'RESUME manager'],
    },
  ],
  [
    'Killed before these were ended',
    { running: at('n1', false, [link('7', 'n3'), link('8', 'n1')]) },
    { do: 'follow', why: 'n1 is the primary', console: ['KILL_CLIENT 7'] },
  ],
  [
    'Nobody is ended while there is no new primary: the old one may come back',
    { leadership: lockReleased, running: at('n1', false, [link('7', 'n1')]) },
    { do: 'hold', why: 'there is no primary', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'It started before the file was there and does not know the database',
    { running: knowsNothing },
    { do: 'follow', why: 'n1 is the primary', console: ['RELOAD'] },
  ],
  [
    'It does not know the database, and nobody holds the lock',
    { running: knowsNothing, leadership: lockReleased },
    { do: 'hold', why: 'there is no primary', file: HELD, console: ['RELOAD', 'PAUSE manager'] },
  ],
  [
    'Its console does not answer, and nobody holds the lock',
    { running: UNKNOWN, leadership: lockReleased },
    { do: 'hold', why: 'there is no primary', file: HELD, console: [] },
  ],
  [
    'Its console does not answer, and the file holds the clients',
    { running: UNKNOWN, leadership: lockReleased, file: HELD },
    { do: 'nothing', why: 'clients are held back: there is no primary', console: [] },
  ],
  [
    'It runs with another port',
    { running: runs(addressOf('n1'), 1) },
    { do: 'follow', why: 'n1 is the primary', console: ['RELOAD'] },
  ],
  [
    'The file was removed',
    { file: null },
    { do: 'follow', why: 'n1 is the primary', file: fileFor('n1'), console: ['RELOAD'] },
  ],
  [
    'PgBouncer does not answer, and the file is right',
    { running: UNKNOWN },
    { do: 'nothing', why: "the file names n1, but PgBouncer's console does not answer", console: [] },
  ],
  [
    'PgBouncer does not answer, and the file is old',
    { running: UNKNOWN, leadership: leadOfN2 },
    { do: 'follow', why: 'n2 is the primary', file: fileFor('n2'), console: [] },
  ],
  [
    'Consul does not answer: stay',
    { leadership: UNKNOWN },
    { do: 'nothing', why: 'Consul does not answer', console: [] },
  ],
  [
    'Consul does not answer after a boot: point nowhere',
    { leadership: UNKNOWN, file: null },
    { do: 'hold', why: 'Consul does not answer', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'Consul does not answer after a boot, and PgBouncer does not run yet',
    { leadership: UNKNOWN, file: null, running: UNKNOWN },
    { do: 'hold', why: 'Consul does not answer', file: HELD, console: [] },
  ],
  [
    'After a boot, while nobody holds the lock',
    { leadership: lockReleased, file: null },
    { do: 'hold', why: 'there is no primary', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'After a boot, while nobody holds the lock and PgBouncer does not run yet',
    { leadership: lockReleased, file: null, running: UNKNOWN },
    { do: 'hold', why: 'there is no primary', file: HELD, console: [] },
  ],
  [
    'The file was removed while the clients are held',
    { leadership: lockReleased, file: null, running: at('n1', true) },
    { do: 'hold', why: 'there is no primary', file: HELD, console: [] },
  ],
  [
    'This machine is fenced: hold the clients back while Consul does not answer',
    { leadership: UNKNOWN, fenced: true },
    { do: 'hold', why: 'this machine is fenced', file: HELD, console: ['PAUSE manager'] },
  ],
  [
    'Fenced, and the clients are already held back',
    { leadership: UNKNOWN, fenced: true, file: HELD, running: at('n1', true) },
    { do: 'nothing', why: 'clients are held back: this machine is fenced', console: [] },
  ],
  [
    'Fenced, and PgBouncer does not answer',
    { leadership: UNKNOWN, fenced: true, running: UNKNOWN },
    { do: 'hold', why: 'this machine is fenced', file: HELD, console: [] },
  ],
  [
    'Still fenced, and Consul is back with a new primary',
    { leadership: leadOfN2, fenced: true, file: HELD, running: at('n1', true) },
    { do: 'follow', why: 'n2 is the primary', file: fileFor('n2'), console: ['RELOAD', 'RESUME manager'] },
  ],
  [
    'Still fenced, and Consul is back without any primary',
    { leadership: lockReleased, fenced: true, file: HELD, running: at('n1', true) },
    { do: 'nothing', why: 'clients are held back: there is no primary', console: [] },
  ],
]
describe('pgbouncer', () => table(decidePooler, base, cases))

const TWO: Behind = { databases: ['manager', 'My-db'], settings: { pool_mode: 'transaction' } }
const primary = { address: addressOf('n1'), port: 5432 }
const here = { host: addressOf('n1'), port: 5432, paused: false }

const casesOfTwo: readonly Case<PoolerFacts, PoolerPlan>[] = [
  ['All is well', {}, { do: 'nothing', why: 'PgBouncer points at n1', console: [] }],
  [
    'A database was added, or a setting was changed',
    { file: fileFor('n1'), running: at('n1') },
    { do: 'follow', why: 'n1 is the primary', file: renderDatabases(TWO, primary), console: ['RELOAD'] },
  ],
  [
    'Killed before RELOAD',
    { running: at('n1') },
    { do: 'follow', why: 'n1 is the primary', console: ['RELOAD'] },
  ],
  [
    'There is no primary: the clients of both are held back',
    { leadership: lockReleased },
    {
      do: 'hold',
      why: 'there is no primary',
      file: renderDatabases(TWO, null),
      console: ['PAUSE manager', 'PAUSE "My-db"'],
    },
  ],
  [
    'One is held back already',
    {
      leadership: lockReleased,
      file: renderDatabases(TWO, null),
      running: { databases: { manager: { ...here, paused: true }, 'My-db': here }, links: [] },
    },
    { do: 'hold', why: 'there is no primary', console: ['PAUSE "My-db"'] },
  ],
  [
    'One is still paused',
    { running: { databases: { manager: here, 'My-db': { ...here, paused: true } }, links: [] } },
    { do: 'follow', why: 'n1 is the primary', console: ['RESUME "My-db"'] },
  ],
]
describe('pgbouncer with two databases', () =>
  table(
    decidePooler,
    {
      ...base,
      behind: TWO,
      file: renderDatabases(TWO, primary),
      running: { databases: { manager: here, 'My-db': here }, links: [] },
    },
    casesOfTwo,
  ))

const NODES = ['n1', 'n2', 'n3'] as const
const node = fc.constantFrom(...NODES)
const leadership = fc.oneof(
  { weight: 1, arbitrary: fc.constant(UNKNOWN) },
  {
    weight: 6,
    arbitrary: fc.record({
      leader: fc.option(
        fc
          .tuple(node, fc.option(fc.constant('session')), fc.integer({ min: 7, max: 8 }))
          .map((one) => lock(...one)),
      ),
      primary: fc.option(
        fc.tuple(node, fc.constant(3), fc.integer({ min: 7, max: 8 })).map((one) => published(...one)),
      ),
    }),
  },
)
const file = fc.oneof(fc.constant(null), fc.constant(HELD), node.map(fileFor))
const running = fc.oneof(
  fc.constant(UNKNOWN),
  fc.constant(knowsNothing),
  fc
    .tuple(
      node,
      fc.boolean(),
      fc.array(fc.tuple(fc.option(fc.constantFrom('3', '4')), node).map((one) => link(...one))),
    )
    .map((one) => at(...one)),
  fc.boolean().map((paused) => nowhere(paused)),
)
const anyFacts = fc.record({
  behind: fc.constant(BEHIND),
  leadership,
  servesUnlocked: fc.boolean(),
  fenced: fc.boolean(),
  file,
  running,
})

/** The only machine that clients may be sent to. */
function targetOf({ leadership: known, servesUnlocked }: PoolerFacts): Primary | null {
  if (known === UNKNOWN) return null
  return currentPrimary(known) ?? (servesUnlocked ? unlockedPrimary(known) : null)
}

/** PgBouncer as it is after the plan: what the commands do to it. */
function carryOut(before: PoolerFacts, plan: PoolerPlan): PoolerFacts {
  const text = plan.file ?? before.file
  let after = before.running
  for (const command of plan.console) {
    if (after === UNKNOWN) throw new Error('a command for a console that does not answer')
    const pooler: PoolTarget | undefined = after.databases['manager']
    const links: readonly Link[] = after.links
    if (command === 'RELOAD') {
      const [, host = '', port = ''] = /host=(\S+) port=(\d+)/.exec(text ?? '') ?? []
      after = runs(host, Number(port), pooler?.paused ?? false, links)
    } else if (command.startsWith('KILL_CLIENT ')) {
      after = { ...after, links: links.filter(({ client }) => `KILL_CLIENT ${client}` !== command) }
    } else {
      if (!pooler) throw new Error(`${command} for a database that PgBouncer does not know`)
      const paused = command !== 'RESUME manager'
      after = runs(pooler.host, pooler.port, paused, command === 'KILL manager' ? [] : links)
    }
  }
  return { ...before, file: text, running: after }
}

function assertPointsAt({ address, port }: { address: string; port: number }, after: PoolerFacts['running']) {
  assert.ok(after !== UNKNOWN)
  assert.deepEqual(after.databases, { manager: { host: address, port, paused: false } })
  assert.ok(after.links.every((one) => one.host === address && one.port === port))
}

test('pgbouncer: the file never names anyone but the current primary', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const plan = decidePooler(facts)
      if (plan.file === undefined) return
      const target = targetOf(facts)
      assert.equal(plan.file, renderDatabases(BEHIND, target))
    }),
    { numRuns: 1000 },
  )
})

test('pgbouncer: clients are let go only towards a current primary, and only after RELOAD', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const plan = decidePooler(facts)
      if (!plan.console.includes('RESUME manager')) return
      const target = targetOf(facts)
      assert.ok(target)
      const { running: after } = carryOut(facts, plan)
      assertPointsAt(target, after)
      assert.equal(plan.console.at(-1), 'RESUME manager')
    }),
    { numRuns: 1000 },
  )
})

test('pgbouncer: with news from Consul and a console it points at the primary, or holds', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      if (facts.leadership === UNKNOWN || facts.running === UNKNOWN) return
      const target = targetOf(facts)
      const { running: after } = carryOut(facts, decidePooler(facts))
      if (after === UNKNOWN) throw new Error('PgBouncer went away')
      if (target) assertPointsAt(target, after)
      // A database that PgBouncer does not know is nobody's way to anyone.
      else assert.ok(after.databases['manager']?.paused ?? true)
    }),
    { numRuns: 1000 },
  )
})

test('pgbouncer: what was carried out is not carried out again', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const after = carryOut(facts, decidePooler(facts))
      assert.equal(decidePooler(after).do, 'nothing')
    }),
    { numRuns: 1000 },
  )
})

test('pgbouncer: a console that does not answer gets no commands', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { console } = decidePooler({ ...facts, running: UNKNOWN })
      assert.deepEqual(console, [])
    }),
    { numRuns: 1000 },
  )
})

test('pgbouncer: without news from Consul what is there stays, where the database was not stopped', () => {
  fc.assert(
    fc.property(anyFacts, file, (facts, text) => {
      fc.pre(text !== null)
      const { why: _, ...plan } = decidePooler({
        ...facts,
        leadership: UNKNOWN,
        fenced: false,
        file: text,
      })
      assert.deepEqual(plan, { do: 'nothing', console: [] })
    }),
    { numRuns: 500 },
  )
})

test('pgbouncer: on a fenced machine it points nowhere while Consul does not answer', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const fenced = { ...facts, leadership: UNKNOWN, fenced: true } as const
      const { file: text, running: after } = carryOut(fenced, decidePooler(fenced))
      assert.equal(text, HELD)
      assert.ok(after === UNKNOWN || after.databases['manager']?.paused)
    }),
    { numRuns: 500 },
  )
})

// It reads the file before anyone can pause it.
test('pgbouncer: one that starts after the plan finds the current primary in its file, or nobody', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      fc.pre(facts.leadership !== UNKNOWN)
      const target = targetOf(facts)
      const text = decidePooler(facts).file ?? facts.file
      assert.equal(text, renderDatabases(BEHIND, target))
    }),
    { numRuns: 1000 },
  )
})
