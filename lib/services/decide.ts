import { isDeepStrictEqual } from 'node:util'
import { byKey } from '../core/order.ts'
import type { Plan } from '../core/reconciler.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { guardsOf, idOf, registrationOf, renderCommand, unitsFor } from './config.ts'
import { type ActiveFacts, type ActivePlan, decideActive } from './decide-active.ts'
import { unitProblem } from './decide-names.ts'
import { type ServiceList, type ServiceNode, servicesUnits } from './manifest.ts'

/** What systemd says of a unit. */
export interface UnitFacts {
  /** loaded, not-found, masked, ... */
  load: string
  /** active, inactive, failed, activating, ... */
  active: string
  /** enabled, disabled, static, ... */
  file: string
}

export interface ServicesFacts {
  node: string
  /** The services of the cluster; null where it has none. */
  list: ServiceList | null | Unknown
  /** Those that this machine has been set up for. */
  applied: ServiceList | null
  /** null where there is no service at all: then nothing else was asked. */
  active: ActiveFacts | null
  /** PgBouncer on this machine leads to its own database. */
  pooled: boolean
  /** Services of the active machine may start here. */
  marked: boolean
  /** This machine has begun to hand the active role over, a moment ago. */
  handsOver: boolean
  /** This machine has left the address to others, because a service had failed. */
  yields: boolean
  /** By unit. */
  units: ReadonlyMap<string, UnitFacts>
  /** By unit: the guard that keeps it from starting elsewhere, or null. */
  guards: Readonly<Record<string, string | null>>
  /** By service: what its check runs, or null. */
  commands: Readonly<Record<string, string | null>>
  /** By id: the digest of every service of ours in Consul's agent. */
  registered: Readonly<Record<string, string>> | Unknown
  /** What this machine has published. */
  published: ServiceNode | null | Unknown
  waitedMs: number
}

export interface ServicesPlan extends Plan {
  do: 'nothing' | 'wait' | 'apply'
  /** Units that must not run here any more. */
  stop: string[]
  /** This machine is the active one, or is not any more; null: as it is. */
  mark: boolean | null
  /** No service gives way any more: this machine claims the address as before. */
  unyield: boolean
  /** By unit: its guard; null: none any more. */
  guard: Record<string, string | null>
  enable: string[]
  disable: string[]
  start: string[]
  /** By service: what its check runs; null: nothing any more. */
  command: Record<string, string | null>
  /** Names of services that Consul's agent is told of. */
  register: string[]
  /** Ids that it forgets. */
  deregister: string[]
  publish: ServiceNode | null
  list: ServiceList
  /** What a person should know: one sentence each. */
  problems: string[]
}

/** How long services wait for PgBouncer to lead to this machine. They start all the same then: their clients may wait as well. */
export const POOLED_MS = 10_000

const DOWN = ['inactive', 'failed']
/** States of a unit's file in which a boot starts it. */
const ENABLED = ['enabled', 'enabled-runtime', 'linked', 'linked-runtime']

/**
 * What this machine has to do about the services of the operator. Those that run everywhere are started and enabled; those of the
 * active machine are started there, stopped elsewhere, and never started by a boot. Of a service that was removed only what we have
 * made is taken away: its unit stays as it is. Without Consul the list of last time counts, and nothing new is started.
 */
export function decideServices(facts: ServicesFacts): ServicesPlan {
  const applied = facts.applied ?? {}
  const list = facts.list === UNKNOWN ? applied : (facts.list ?? {})
  const plan = emptyPlan(list)
  if (facts.active === null) return { ...plan, why: 'the cluster has no services' }
  const { state, why } = facts.handsOver ? HANDS_OVER : decideActive(facts.active)
  const entries = Object.entries(list).sort(byKey)
  const ofActive = entries.filter(([, { run }]) => run === 'active')
  const unitOf = (unit: string): UnitFacts => facts.units.get(unit) ?? NO_UNIT
  // Whoever can write into Consul must not have root stop what the cluster is made of.
  const isThere = (unit: string): boolean => unitOf(unit).load === 'loaded' && unitProblem(unit, []) === null
  const isDown = (unit: string): boolean => DOWN.includes(unitOf(unit).active)

  const mayRun = state === 'here' || (state === 'unknown' && facts.marked)
  // An exclusive service without its lock runs no more: what runs it is stopped, and with it the unit.
  const unlocked = Object.entries(applied).flatMap(([name, service]) =>
    service.exclusive && !list[name]?.exclusive ? [unitsFor(name, service)[0]] : [],
  )
  const elsewhere = mayRun
    ? []
    : ofActive.flatMap(([name, service]) => (isThere(service.unit) ? unitsFor(name, service) : []))
  plan.stop = [...unlocked, ...elsewhere].filter((unit) => !isDown(unit))
  if (facts.marked && (!mayRun || ofActive.length === 0)) plan.mark = false
  if (!facts.marked && state === 'here' && ofActive.length > 0) {
    if (!facts.pooled && facts.waitedMs < POOLED_MS)
      return { ...plan, do: 'wait', why: 'PgBouncer does not lead to this machine yet' }
    plan.mark = true
  }

  if (facts.yields && !entries.some(([, { givesWay }]) => givesWay)) plan.unyield = true
  const guards = Object.assign({}, ...ofActive.map(([name, service]) => guardsOf(name, service))) as Record<
    string,
    string
  >
  for (const [unit, text] of Object.entries(facts.guards)) {
    const wanted = guards[unit] ?? null
    if (text !== wanted) plan.guard[unit] = wanted
  }
  for (const [name, service] of entries) {
    const { unit, run } = service
    if (!isThere(unit)) continue
    const isEnabled = ENABLED.includes(unitOf(unit).file)
    if (run === 'active' && isEnabled) plan.disable.push(unit)
    if (run === 'everywhere' && unitOf(unit).file === 'disabled') plan.enable.push(unit)
    const runsHere = run === 'everywhere' || mayRun
    const [runner] = unitsFor(name, service)
    if (runsHere && isDown(runner)) plan.start.push(runner)
    const { Meta } = registrationOf(name, service)
    if (runsHere && facts.registered !== UNKNOWN && facts.registered[idOf(name)] !== Meta.understudy)
      plan.register.push(name)
  }
  for (const [name, text] of Object.entries(facts.commands)) {
    const service = list[name]
    const wanted = service === undefined ? null : renderCommand(service)
    if (text !== wanted) plan.command[name] = wanted
  }
  const isRegisteredHere = (name: string): boolean => {
    const service = list[name]
    return service !== undefined && isThere(service.unit) && (service.run === 'everywhere' || mayRun)
  }
  if (facts.registered !== UNKNOWN)
    plan.deregister = Object.keys(facts.registered).filter(
      (id) => !entries.some(([name]) => idOf(name) === id && isRegisteredHere(name)),
    )
  // Without Consul, what is published stays as it is.
  if (facts.list !== UNKNOWN && facts.published !== UNKNOWN) {
    const wanted = stateOf(entries, isThere, mayRun)
    if (!isDeepStrictEqual(facts.published, entries.length > 0 || facts.published ? wanted : null))
      plan.publish = wanted
  }
  plan.problems = entries
    .filter(([, { unit }]) => !isThere(unit))
    .map(
      ([name, { unit }]) =>
        unitProblem(unit, []) ?? `this machine has no unit ${unit}, which is the service ${name}`,
    )
  const what = reasons(plan)
  const changed = what.length > 0 || !isDeepStrictEqual(list, applied)
  const reason = ofActive.length === 0 ? 'the services run on every machine' : why
  return { ...plan, do: changed ? 'apply' : 'nothing', why: [reason, ...what].join('; ') }
}

const HANDS_OVER: ActivePlan = { state: 'elsewhere', why: 'this machine hands the active role over' }

const NO_UNIT: UnitFacts = { load: 'not-found', active: 'inactive', file: '' }

const emptyPlan = (list: ServiceList): ServicesPlan => ({
  ...{
    do: 'nothing',
    why: '',
    stop: [],
    mark: null,
    unyield: false,
    guard: {},
    enable: [],
    disable: [],
    start: [],
  },
  ...{ command: {}, register: [], deregister: [], publish: null, list, problems: [] },
})

function stateOf(
  entries: readonly [string, ServiceList[string]][],
  isThere: (unit: string) => boolean,
  mayRun: boolean,
): ServiceNode {
  const states = entries.map(([name, { unit, run }]) => {
    const runs = run === 'everywhere' || mayRun ? 'here' : 'elsewhere'
    return [name, isThere(unit) ? runs : 'missing'] as const
  })
  return { schema: 1, services: Object.fromEntries(states) }
}

function reasons(plan: ServicesPlan): string[] {
  const part = (verb: string, names: readonly string[]): string[] =>
    names.length > 0 ? [`${verb} ${names.join(', ')}`] : []
  return [
    ...part('stop', plan.stop),
    ...(plan.mark === null ? [] : [plan.mark ? 'become active' : 'be active no more']),
    ...(plan.unyield ? ['claim the virtual IP as before'] : []),
    ...part('set up', [...Object.keys(plan.guard), ...Object.keys(plan.command)]),
    ...part('enable', plan.enable),
    ...part('disable', plan.disable),
    ...part('start', plan.start),
    ...part('register', plan.register),
    ...part('deregister', plan.deregister),
    ...(plan.publish === null ? [] : ['publish']),
  ]
}

/** The unit that runs the commands of checks is needed where Consul asks for one. */
export const needsCommands = (list: ServiceList): boolean =>
  Object.values(list).some((service) => renderCommand(service) !== null)

/** The units that systemd is asked about. */
export const unitsOf = (...lists: readonly (ServiceList | null)[]): string[] => [
  ...new Set(
    lists.flatMap((list) => Object.entries(list ?? {}).flatMap(([name, service]) => unitsFor(name, service))),
  ),
  servicesUnits.checks,
]
