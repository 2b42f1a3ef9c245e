import { statSync } from 'node:fs'
import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { exists } from '../core/atomic-files.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown, UNKNOWN, type Unknown, unknownOnFailure } from '../core/unknown.ts'
import { withDatabase } from '../postgresql/client.ts'
import { localDatabase } from '../postgresql/database.ts'
import { postgresqlKeys } from '../postgresql/manifest.ts'
import { idOf, nameOf } from './config.ts'
import type { GiveWayFacts, OtherMachine } from './decide-give-way.ts'
import type { CheckStatus } from './decide-status.ts'
import { type ServiceList, servicesKeys, servicesPaths } from './manifest.ts'

/** How long the local database may take to say who streams from it. */
const DATABASE_MS = 2000
/** A standby that lacks more than this keeps a clean stop waiting. */
const NEARLY_LEVEL_BYTES = 16 * 1024 * 1024

/** The services that give way and fail on this machine. Asked only on the active machine; else none. */
export async function failingHere({ consul }: Context, list: ServiceList): Promise<string[]> {
  if (!exists(servicesPaths.active)) return []
  const names = Object.entries(list).flatMap(([name, { givesWay }]) => (givesWay ? [name] : []))
  const statuses = await Promise.all(names.map((name) => orUnknown(consul.serviceStatus(idOf(name)))))
  return names.filter((_name, index) => statuses[index] === 'critical')
}

/** Remembers for how long a run has seen each service fail without a break. */
export function failures() {
  const since = new Map<string, number>()
  return (names: readonly string[], { elapsedMs }: Run): Record<string, number> => {
    for (const name of since.keys()) if (!names.includes(name)) since.delete(name)
    for (const name of names) if (!since.has(name)) since.set(name, elapsedMs)
    return Object.fromEntries([...since].map(([name, at]) => [name, elapsedMs - at]))
  }
}

/** Reads who could take over, and whether the active role may move. */
export async function observeGiveWay(
  { settings, consul }: Context,
  list: ServiceList,
  failing: Readonly<Record<string, number>>,
): Promise<GiveWayFacts> {
  const { node, vipPriority: priority } = settings
  const [config, moves, others] = await Promise.all([
    orUnknown(consul.get(consulKeys.config)),
    orUnknown(consul.get(servicesKeys.moves)),
    orUnknown(readOthers({ settings, consul }, Object.keys(failing))),
  ])
  const policy = config === UNKNOWN ? undefined : config?.value.policy
  const isFixed = policy === 'fixed' && settings.virtualIp !== null
  return {
    ...{ node, priority, list, failing, others },
    policy: isFixed ? 'fixed' : 'with-primary',
    activeMs: Date.now() - activeSinceMs(),
    // Without the policy it is not known what would move.
    moves: policy === undefined ? UNKNOWN : valueIn(moves),
    standbys: isFixed ? null : await readStandbys({ settings, consul }),
    nowMs: Date.now(),
  }
}

function activeSinceMs(): number {
  try {
    return statSync(servicesPaths.active).mtimeMs
  } catch {
    return Date.now()
  }
}

/** @param names of the services whose checks matter. */
async function readOthers({ settings, consul }: Context, names: readonly string[]): Promise<OtherMachine[]> {
  const [seats, nodes, checks] = await Promise.all([
    consul.get(consulKeys.seats),
    consul.list(servicesKeys.nodes),
    consul.checks(['serfHealth', ...names.map(idOf)]),
  ])
  return Object.entries(seats?.value.seats ?? {})
    .filter(([node]) => node !== settings.node)
    .map(([node, { vipPriority: priority }]) => {
      const own = checks.filter((check) => check.node === node)
      const ofServices = own.flatMap(({ checkId, status }): [string, CheckStatus][] => {
        const name = nameOf(checkId)
        return name === null ? [] : [[name, status]]
      })
      return {
        ...{ node, priority, states: nodes.valid.get(node)?.services ?? null },
        alive: own.some(({ checkId, status }) => checkId === 'serfHealth' && status === 'passing'),
        checks: Object.fromEntries(ofServices),
      }
    })
}

/** The standbys that may be promoted, stream from here, and have nearly everything. */
async function readStandbys({ settings, consul }: Context): Promise<string[] | Unknown> {
  const database = localDatabase('understudy_monitor', settings.postgresqlPort)
  const [sync, streaming] = await Promise.all([
    unknownOnFailure(consul.get(postgresqlKeys.sync)),
    unknownOnFailure(
      withDatabase(database, DATABASE_MS, (own) =>
        own.query<{ name: string }>(
          `select application_name as name from pg_stat_replication where state = 'streaming' and usename = 'repmgr'
             and pg_current_wal_flush_lsn() - flush_lsn < $1`,
          [NEARLY_LEVEL_BYTES],
        ),
      ),
    ),
  ])
  if (sync === UNKNOWN || streaming === UNKNOWN) return UNKNOWN
  const voters = sync?.value.node === settings.node ? sync.value.voters : []
  return streaming.map(({ name }) => name).filter((name) => voters.includes(name))
}
