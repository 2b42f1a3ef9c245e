import { readdirSync } from 'node:fs'
import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { exists, readNote, readText } from '../core/atomic-files.ts'
import { holdsAddress } from '../core/interfaces.ts'
import type { Run } from '../core/reconciler.ts'
import { showUnits } from '../core/systemd.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { sinceBootMs } from '../core/uptime.ts'
import { poolerPaths } from '../pooler/manifest.ts'
import { virtualIpPaths } from '../virtual-ip/manifest.ts'
import { observeVirtualIpWeight } from '../virtual-ip/observe-weight.ts'
import { nameOf } from './config.ts'
import { type ServicesFacts, unitsOf } from './decide.ts'
import type { ActiveFacts } from './decide-active.ts'
import { type ServiceList, servicesKeys, servicesPaths } from './manifest.ts'

/** Reads the services of the cluster, what this machine has made of them, and whether it is the active one. */
export async function observeServices(context: Context, run: Run): Promise<ServicesFacts> {
  const { settings, consul } = context
  const applied = readNote<ServiceList>(servicesPaths.applied)
  const document = await orUnknown(consul.get(servicesKeys.list))
  const list: ServicesFacts['list'] = document === UNKNOWN ? UNKNOWN : (document?.value.services ?? null)
  const facts: ServicesFacts = {
    ...{
      node: settings.node,
      list,
      applied,
      active: null,
      pooled: false,
      marked: false,
      handsOver: false,
      yields: false,
    },
    ...{ units: new Map(), guards: {}, commands: {}, registered: {}, published: null },
    waitedMs: run.elapsedMs,
  }
  const isNone = (one: ServiceList | null | Unknown): boolean =>
    one === UNKNOWN || one === null || Object.keys(one).length === 0
  if (isNone(list) && isNone(applied)) return facts
  const known = list === UNKNOWN ? null : list
  const units = unitsOf(known, applied)
  const names = new Set([...Object.keys({ ...known, ...applied }), ...commandsHere()])
  const [active, shown, registered, published] = await Promise.all([
    observeActive(context, run),
    showUnits(units, ['LoadState', 'ActiveState', 'UnitFileState']),
    orUnknown(consul.serviceMeta('understudy')),
    orUnknown(consul.get(servicesKeys.node(settings.node))),
  ])
  return {
    ...{ ...facts, active, published: valueIn(published) },
    pooled: leadsHere(settings.address, active),
    marked: exists(servicesPaths.active),
    handsOver: handsOver(),
    yields: exists(virtualIpPaths.yields),
    units: new Map(
      [...shown].map(([unit, [load = '', state = '', file = '']]) => [unit, { load, active: state, file }]),
    ),
    guards: Object.fromEntries(units.map((unit) => [unit, readText(servicesPaths.guard(unit))])),
    commands: Object.fromEntries([...names].map((name) => [name, readText(servicesPaths.command(name))])),
    registered: registered === UNKNOWN ? UNKNOWN : digests(registered),
  }
}

/** Reads whether this is the active machine. */
async function observeActive(context: Context, run: Run): Promise<ActiveFacts> {
  const { settings, consul } = context
  const { node, virtualIp } = settings
  const [weight, leadership] = await Promise.all([
    observeVirtualIpWeight(context, run),
    virtualIp === null ? orUnknown(readLeadership(consul)) : null,
  ])
  return { node, weight, holdsAddress: holdsAddress(virtualIp), leadership }
}

/** How long a standby has to take over; after that, services run here again if this machine still leads. */
const HAND_OVER_MS = 30_000

function handsOver(): boolean {
  const sinceMs = readNote<number>(servicesPaths.handingOver)
  return sinceMs !== null && sinceBootMs() - sinceMs < HAND_OVER_MS
}

/** Does the file that PgBouncer includes name this machine? With the policy fixed, clients may be led to another one. */
const leadsHere = (address: string, { weight }: ActiveFacts): boolean =>
  weight.policy === 'fixed' || (readText(poolerPaths.databases) ?? '').includes(`host=${address} `)

function commandsHere(): string[] {
  try {
    return readdirSync(servicesPaths.commands).filter((file) => !file.endsWith('.tmp'))
  } catch {
    return []
  }
}

const digests = (noted: ReadonlyMap<string, string>): Record<string, string> =>
  Object.fromEntries([...noted].filter(([id]) => nameOf(id) !== null))
