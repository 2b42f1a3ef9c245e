import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { guardsOf, idOf, registrationOf, renderCommand, renderGuard } from '../../../lib/services/config.ts'
import {
  decideServices,
  POOLED_MS,
  type ServicesFacts,
  type UnitFacts,
} from '../../../lib/services/decide.ts'
import type { Service, ServiceList } from '../../../lib/services/manifest.ts'
import type { VirtualIpWeightFacts } from '../../../lib/virtual-ip/decide-weight.ts'
import { leadOfN1, leadOfN2, lockReleased, lockTaken } from '../support/documents.ts'

const rest: Service = { unit: 'rest.service', check: 'tcp:8100', run: 'active', givesWay: true }
const agent: Service = { unit: 'agent.service', check: null, run: 'everywhere', givesWay: false }
const list: ServiceList = { agent, rest }
const digestOf = (name: string, service: Service): string => registrationOf(name, service).Meta.understudy

const up: UnitFacts = { load: 'loaded', active: 'active', file: 'enabled' }
const off: UnitFacts = { load: 'loaded', active: 'inactive', file: 'disabled' }
const missing: UnitFacts = { load: 'not-found', active: 'inactive', file: '' }
const units = (restUnit: UnitFacts, agentUnit = up): ServicesFacts['units'] =>
  new Map([
    ['rest.service', restUnit],
    ['agent.service', agentUnit],
  ])

const weight: VirtualIpWeightFacts = {
  node: 'n1',
  hasAddress: true,
  policy: 'with-primary',
  leadership: leadOfN1,
  fenced: false,
  file: '100\n',
  leads: null,
  heard: null,
  waitedMs: 0,
}
/** n1 is the active machine, and everything is as it should be. */
const here: ServicesFacts = {
  node: 'n1',
  list,
  applied: list,
  active: { node: 'n1', weight, holdsAddress: true, leadership: null },
  pooled: true,
  marked: true,
  handsOver: false,
  yields: false,
  units: units({ ...up, file: 'disabled' }),
  guards: { 'rest.service': renderGuard(), 'agent.service': null },
  commands: { rest: null, agent: renderCommand(agent) },
  registered: { [idOf('rest')]: digestOf('rest', rest), [idOf('agent')]: digestOf('agent', agent) },
  published: { schema: 1, services: { agent: 'here', rest: 'here' } },
  waitedMs: 0,
}
/** n1 is not the active machine, and everything is as it should be. */
const elsewhere: ServicesFacts = {
  ...here,
  active: {
    ...{ node: 'n1', holdsAddress: false, leadership: null },
    weight: { ...weight, leadership: leadOfN2, file: '-254\n' },
  },
  marked: false,
  units: units(off),
  registered: { [idOf('agent')]: digestOf('agent', agent) },
  published: { schema: 1, services: { agent: 'here', rest: 'elsewhere' } },
}
const withLead = (
  facts: ServicesFacts,
  leadership: VirtualIpWeightFacts['leadership'],
  more: object = {},
): ServicesFacts => ({
  ...facts,
  active: { ...(facts.active as object), weight: { ...facts.active?.weight, leadership, ...more } } as never,
})

/** The same with a lock of its own: what runs it is started and stopped, and only that may start the unit. */
const exclusive: Service = { ...rest, exclusive: true }
const runner = 'understudy-locked@rest.service'
const locked = (runnerUnit: UnitFacts, restUnit: UnitFacts): Partial<ServicesFacts> => ({
  list: { agent, rest: exclusive },
  applied: { agent, rest: exclusive },
  units: new Map([...units(restUnit), [runner, runnerUnit]]),
  guards: { ...here.guards, ...guardsOf('rest', exclusive) },
})
const runs: UnitFacts = { ...up, file: 'static' }
const idle: UnitFacts = { ...off, file: 'static' }

const cases: readonly (readonly [what: string, facts: ServicesFacts, plan: object])[] = [
  ['all is well on the active machine', here, { do: 'nothing' }],
  ['all is well elsewhere', elsewhere, { do: 'nothing' }],
  ['an exclusive service runs', { ...here, ...locked(runs, { ...up, file: 'disabled' }) }, { do: 'nothing' }],
  ['one that waits for its lock', { ...here, ...locked(runs, off) }, { do: 'nothing' }],
  [
    'one that is not started yet',
    { ...here, ...locked(idle, off) },
    { do: 'apply', start: [runner], stop: [] },
  ],
  [
    'one on a machine that is not active any more',
    { ...elsewhere, ...locked(runs, { ...up, file: 'disabled' }) },
    { do: 'apply', start: [], stop: [runner, 'rest.service'] },
  ],
  [
    'one that was removed stops, and its drop-ins go',
    { ...here, ...locked(runs, { ...up, file: 'disabled' }), list: { agent } },
    { stop: [runner], guard: { [runner]: null, 'rest.service': null } },
  ],
  [
    'one that is not exclusive any more',
    { ...here, ...locked(runs, { ...up, file: 'disabled' }), list },
    { stop: [runner], guard: { [runner]: null, 'rest.service': renderGuard() } },
  ],
  [
    'the cluster has no services: nothing else is asked',
    { ...here, list: null, applied: null, active: null },
    { do: 'nothing', why: 'the cluster has no services' },
  ],
  [
    'it hands the active role over: services stop before the address leaves',
    { ...here, handsOver: true },
    { do: 'apply', mark: false, stop: ['rest.service'], start: [] },
  ],
  [
    'it has given way, and a service may do so again',
    { ...here, yields: true },
    { do: 'nothing', unyield: false },
  ],
  [
    'it has given way, and no service does so any more',
    { ...here, list: { agent }, yields: true },
    { do: 'apply', unyield: true },
  ],
  [
    'this machine has become the active one',
    {
      ...here,
      marked: false,
      units: units(off),
      registered: elsewhere.registered,
      published: elsewhere.published,
    },
    { do: 'apply', mark: true, start: ['rest.service'], register: ['rest'], deregister: [], stop: [] },
  ],
  [
    'it waits until PgBouncer leads here',
    { ...here, marked: false, units: units(off), pooled: false },
    { do: 'wait', start: [] },
  ],
  [
    'but not for ever',
    { ...here, marked: false, units: units(off), pooled: false, waitedMs: POOLED_MS },
    { do: 'apply', mark: true, start: ['rest.service'] },
  ],
  [
    'another one leads: what runs here stops, although the address is still here',
    withLead(here, leadOfN2),
    { do: 'apply', mark: false, stop: ['rest.service'], start: [], deregister: [idOf('rest')] },
  ],
  [
    'another one has the lock and is not published yet',
    withLead(here, lockTaken),
    { do: 'apply', mark: false, stop: ['rest.service'] },
  ],
  ['the lock is free: its holder mostly takes it back', withLead(here, lockReleased), { do: 'nothing' }],
  [
    'the lock is free, and nothing runs here: nothing starts',
    withLead({ ...here, marked: false, units: units(off) }, lockReleased),
    { mark: null, start: [], stop: [] },
  ],
  [
    'Consul does not answer: what runs goes on',
    { ...withLead(here, UNKNOWN, { leads: true }), list: UNKNOWN, registered: UNKNOWN, published: UNKNOWN },
    { do: 'nothing', start: [], stop: [] },
  ],
  [
    'Consul does not answer, and no primary runs here: the address goes, and so does what runs',
    {
      ...withLead(here, UNKNOWN, { leads: false, waitedMs: 4000 }),
      ...{ list: UNKNOWN, registered: UNKNOWN, published: UNKNOWN },
    },
    { do: 'apply', mark: false, stop: ['rest.service'], publish: null },
  ],
  [
    'fenced: what runs stops without Consul',
    {
      ...here,
      ...{ list: UNKNOWN, registered: UNKNOWN, published: UNKNOWN },
      active: {
        ...{ node: 'n1', holdsAddress: true, leadership: null },
        weight: { ...weight, fenced: true, policy: null, leadership: null },
      },
    },
    { do: 'apply', mark: false, stop: ['rest.service'] },
  ],
  [
    'the address has left: keepalived has stopped',
    { ...here, active: { ...(here.active as NonNullable<ServicesFacts['active']>), holdsAddress: false } },
    { do: 'apply', mark: false, stop: ['rest.service'] },
  ],
  [
    'after a boot nothing starts before Consul answers',
    {
      ...withLead(elsewhere, UNKNOWN),
      ...{ list: UNKNOWN, registered: UNKNOWN, published: UNKNOWN },
    },
    { do: 'nothing', start: [] },
  ],
  [
    'somebody has started it elsewhere, and a package has enabled it',
    { ...elsewhere, units: units(up) },
    { do: 'apply', stop: ['rest.service'], disable: ['rest.service'] },
  ],
  [
    'systemd has given up: it is started again',
    { ...here, units: units({ ...off, active: 'failed' }, { ...up, active: 'failed' }) },
    { do: 'apply', start: ['agent.service', 'rest.service'], register: [] },
  ],
  [
    'one that runs everywhere is enabled and started',
    { ...here, units: units({ ...up, file: 'disabled' }, off) },
    { do: 'apply', enable: ['agent.service'], start: ['agent.service'] },
  ],
  [
    'one without an [Install] section cannot be enabled',
    { ...here, units: units({ ...up, file: 'static' }, { ...up, file: 'static' }) },
    { do: 'nothing', enable: [], disable: [] },
  ],
  [
    'a unit is missing here: the others go on',
    { ...elsewhere, units: units(missing), registered: {} },
    {
      do: 'apply',
      register: ['agent'],
      start: [],
      publish: { schema: 1, services: { agent: 'here', rest: 'missing' } },
      problems: ['this machine has no unit rest.service, which is the service rest'],
    },
  ],
  [
    'a document that was edited names a unit of the cluster: it is left alone',
    {
      ...{ ...elsewhere, list: { rest: { ...rest, unit: 'consul.service' } } },
      units: new Map([['consul.service', up]]),
    },
    {
      ...{ stop: [], start: [], disable: [], enable: [] },
      problems: ['consul.service is a unit of the system or of the cluster itself'],
    },
  ],
  [
    'a service that was removed: only what we made goes',
    { ...here, list: { agent } },
    {
      do: 'apply',
      mark: false,
      stop: [],
      guard: { 'rest.service': null },
      deregister: [idOf('rest')],
      publish: { schema: 1, services: { agent: 'here' } },
    },
  ],
  [
    'a check that is another one now',
    { ...here, registered: { ...(here.registered as object), [idOf('rest')]: 'of before' } },
    { do: 'apply', register: ['rest'] },
  ],
  [
    'the policy is fixed: the address alone counts',
    withLead(here, leadOfN2, { policy: 'fixed', file: '0\n' }),
    { do: 'nothing' },
  ],
  [
    'no virtual IP: the primary is the active machine',
    {
      ...here,
      active: {
        ...{ node: 'n1', holdsAddress: false, leadership: leadOfN2 },
        weight: { ...weight, hasAddress: false, policy: null, leadership: null },
      },
    },
    { do: 'apply', mark: false, stop: ['rest.service'] },
  ],
]

describe('what a machine does about the services', () => {
  for (const [what, facts, wanted] of cases)
    test(what, () => {
      const plan = decideServices(facts)
      const part = Object.fromEntries(
        Object.keys(wanted).map((name) => [name, plan[name as keyof typeof plan]]),
      )
      assert.deepEqual(part, wanted, plan.why)
    })
})

describe('whatever is seen', () => {
  const unit = fc.record({
    load: fc.constantFrom('loaded', 'not-found', 'masked'),
    active: fc.constantFrom('active', 'inactive', 'failed', 'activating', 'deactivating'),
    file: fc.constantFrom('enabled', 'disabled', 'static', 'masked', ''),
  })
  const facts = fc
    .record({
      leadership: fc.constantFrom(leadOfN1, leadOfN2, lockReleased, lockTaken, UNKNOWN),
      policy: fc.constantFrom('with-primary', 'fixed', UNKNOWN),
      file: fc.constantFrom('100\n', '0\n', '-254\n', null),
      fenced: fc.boolean(),
      hasAddress: fc.boolean(),
      holdsAddress: fc.boolean(),
      marked: fc.boolean(),
      pooled: fc.boolean(),
      known: fc.boolean(),
      waitedMs: fc.constantFrom(0, 5000, 20_000),
      one: unit,
      other: unit,
    })
    .map(
      ({
        leadership,
        policy,
        file,
        fenced,
        hasAddress,
        holdsAddress,
        one,
        other,
        known,
        waitedMs,
        ...rest
      }) =>
        ({
          ...{ ...here, ...rest, waitedMs, units: units(one, other) },
          ...(known ? {} : { list: UNKNOWN, registered: UNKNOWN, published: UNKNOWN }),
          active: {
            ...{ node: 'n1', holdsAddress, leadership: hasAddress ? null : leadership },
            weight: {
              ...{ ...weight, policy, file, fenced, hasAddress, waitedMs },
              leadership: fenced ? null : leadership,
            },
          },
        }) as ServicesFacts,
    )

  test('nothing of the active machine starts where another one leads, the address is away, or the machine is fenced', () => {
    fc.assert(
      fc.property(facts, (seen) => {
        const plan = decideServices(seen)
        const {
          weight: asked,
          holdsAddress,
          leadership,
        } = seen.active as NonNullable<ServicesFacts['active']>
        const lead = asked.hasAddress ? asked.leadership : leadership
        const isFixed = asked.policy === 'fixed' && asked.hasAddress
        // Without the policy it is not known what counts.
        const isBlind = lead === UNKNOWN || (asked.hasAddress && asked.policy === UNKNOWN)
        const mayStart =
          !asked.fenced &&
          (!asked.hasAddress || holdsAddress) &&
          (isFixed || lead === leadOfN1 || (seen.marked && (lead === lockReleased || isBlind)))
        if (!mayStart) {
          assert.ok(!plan.start.includes('rest.service'), plan.why)
          assert.notEqual(plan.mark, true)
        }
      }),
      { numRuns: 3000 },
    )
  })
  test('no unit is both started and stopped, and one that runs everywhere is never stopped', () => {
    fc.assert(
      fc.property(facts, (seen) => {
        const { start, stop } = decideServices(seen)
        assert.deepEqual(
          start.filter((one) => stop.includes(one)),
          [],
        )
        assert.ok(!stop.includes('agent.service'))
      }),
      { numRuns: 1000 },
    )
  })
})
