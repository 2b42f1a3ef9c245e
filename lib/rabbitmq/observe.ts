import type { Check, Consul } from '../consul/client.ts'
import { type Entry, valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys, type Seats } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { unitProperties } from '../core/systemd.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { sinceBootMs } from '../core/uptime.ts'
import { installedSeries, readData } from './broker.ts'
import { knownNames, viewIn } from './config.ts'
import { brokerCommand } from './ctl.ts'
import type { BrokerNode, RabbitmqFacts } from './decide.ts'
import type { BrokerGateFacts } from './decide-gate.ts'
import { rabbitmqKeys, rabbitmqPaths, rabbitmqUnits } from './manifest.ts'

/** @param session of this run; null before it has one. */
export async function observeRabbitmq(
  { settings: { node }, consul }: Context,
  session: string | null,
): Promise<RabbitmqFacts> {
  const [unit, seats, cluster, nodes, checks, lock, recorded] = await Promise.all([
    readUnit(),
    orUnknown(consul.get(consulKeys.seats)),
    orUnknown(consul.get(rabbitmqKeys.cluster)),
    readNodes(consul, node),
    orUnknown(brokerChecks(consul)),
    orUnknown(consul.get(rabbitmqKeys.lock)),
    orUnknown(consul.get(rabbitmqKeys.running)),
  ])
  return {
    node,
    series: installedSeries(),
    data: readData(node),
    ...unit,
    view: await readView(node, unit.unit, nodes),
    recorded: nodesIn(recorded),
    names: addressesIn(seats),
    known: knownNames(readText(rabbitmqPaths.names) ?? ''),
    cluster: valueIn(cluster),
    nodes,
    alive: checks === UNKNOWN ? UNKNOWN : aliveMachines(checks),
    accepting: checks === UNKNOWN ? UNKNOWN : acceptingBrokers(checks),
    lock: lock === UNKNOWN ? UNKNOWN : ownerOf(lock, session),
  }
}

export const addresses = (seats: Readonly<Record<string, { address: string }>>): Map<string, string> =>
  new Map(Object.entries(seats).map(([name, { address }]) => [name, address]))

/** The same, from what Consul holds. */
export const addressesIn = (seats: Entry<Seats> | null | Unknown): Map<string, string> | Unknown =>
  seats === UNKNOWN || seats === null ? UNKNOWN : addresses(seats.value.seats)

/** The members whose brokers last ran together; null where nobody has written them down. */
export const nodesIn = (running: Entry<{ nodes: string[] }> | null | Unknown): string[] | null | Unknown =>
  running === UNKNOWN ? UNKNOWN : (running?.value.nodes ?? null)

function ownerOf(lock: Entry<unknown> | null, session: string | null): 'ours' | 'free' | 'taken' {
  if (lock === null || lock.session === null) return 'free'
  return lock.session === session ? 'ours' : 'taken'
}

/** How far the brokers are. Unknown where that of this machine cannot be read: it must not be taken for a new one. */
async function readNodes(consul: Consul, own: string): Promise<ReadonlyMap<string, BrokerNode> | Unknown> {
  const nodes = await orUnknown(consul.list(rabbitmqKeys.nodes))
  return nodes === UNKNOWN || nodes.malformed.includes(own) ? UNKNOWN : nodes.valid
}

/** What tells which machines are there, and which brokers accept connections. */
export const brokerChecks = (consul: Consul): Promise<Check[]> => consul.checks(['serfHealth', 'rabbitmq'])

const passing = (checks: readonly Check[], id: string): string[] =>
  checks.flatMap(({ node, checkId, status }) => (checkId === id && status === 'passing' ? [node] : []))

const aliveMachines = (checks: readonly Check[]): ReadonlySet<string> =>
  new Set(passing(checks, 'serfHealth'))

/** Members whose machine is alive and whose broker accepts connections. */
export function acceptingBrokers(checks: readonly Check[]): ReadonlySet<string> {
  const alive = aliveMachines(checks)
  return new Set(passing(checks, 'rabbitmq').filter((node) => alive.has(node)))
}

/** The state of the broker's unit, and how long it has been starting. */
async function readUnit(): Promise<Pick<RabbitmqFacts, 'unit' | 'startingMs'>> {
  const since = 'InactiveExitTimestampMonotonic'
  const said = new Map(await unitProperties(rabbitmqUnits.server, ['ActiveState', since]))
  const unit = said.get('ActiveState') ?? ''
  // CLOCK_MONOTONIC, in microseconds.
  return { unit, startingMs: unit === 'activating' ? sinceBootMs() - Number(said.get(since)) / 1000 : null }
}

/** What the broker sees of the others; only of use where it is a member, as the question takes seconds. */
async function readView(
  node: string,
  unit: string,
  nodes: RabbitmqFacts['nodes'],
): Promise<RabbitmqFacts['view']> {
  if (unit !== 'active' || nodes === UNKNOWN || nodes.get(node)?.state !== 'member') return null
  try {
    return viewIn(await brokerCommand('rabbitmqctl', ['cluster_status', '--formatter', 'json']), node)
  } catch (error) {
    log('rabbitmq', { error: explain(error) })
    return UNKNOWN
  }
}

/** What the start gate has to know. Without clustered brokers it asks nobody. */
export async function observeBrokerGate({ settings, consul }: Context): Promise<BrokerGateFacts> {
  const { node, rabbitmq: mode = null } = settings
  if (mode !== 'clustered') return { mode, data: { state: 'blank' }, own: null }
  const nodes = await readNodes(consul, node)
  return { mode, data: readData(node), own: nodes === UNKNOWN ? UNKNOWN : (nodes.get(node) ?? null) }
}
