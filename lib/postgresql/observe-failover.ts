import type { Check, Consul } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { localDatabase, probe, probeLocal, remoteDatabase } from './database.ts'
import { type FailoverFacts, holdsLock, type Peer } from './decide-failover.ts'
import { postgresqlKeys } from './manifest.ts'

/**
 * How long the old primary and the other members may take to answer. The first is expected to be silent, so that its time is part
 * of every failover (docs/fencing.md); the others are busy with the same event.
 */
export const PRIMARY_PROBE_MS = 200
export const PROBE_MS = 300
const LOCAL_MS = 2000

/**
 * All reads of the gate: Consul first, then every database at once.
 *
 * @param lastLook a look of a moment ago, after which the lock is still free: a primary that did not answer then is not asked
 * again before the lock is taken.
 */
export async function observeFailover(
  { settings, consul }: Context,
  waitedMs: number,
  lastLook: FailoverFacts | null = null,
): Promise<FailoverFacts> {
  const { node, repmgrId, vipPriority, postgresqlPort, address: ownAddress } = settings
  const [leadership, found, members, sync, consulLeader, local] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(readSessions(consul, node)),
    orUnknown(readMembers(consul)),
    orUnknown(consul.get(postgresqlKeys.sync)),
    orUnknown(consul.leader()),
    probeLocal(localDatabase('postgres', postgresqlPort), LOCAL_MS),
  ])
  const primary = leadership === UNKNOWN ? UNKNOWN : leadership.primary
  const leader = leadership === UNKNOWN ? UNKNOWN : leadership.leader
  const leadsConsul = (address: string): boolean =>
    consulLeader !== UNKNOWN && consulLeader?.startsWith(`${address}:`) === true
  const self = { node, repmgrId, vipPriority, leadsConsul: leadsConsul(ownAddress) }
  const rule = sync === UNKNOWN ? UNKNOWN : (sync?.value ?? null)
  const sessions = {
    ownSessions: found === UNKNOWN ? UNKNOWN : found.own,
    startSessions: found === UNKNOWN ? [] : found.start,
  } as const

  // Only a standby that may take over asks the others.
  const mayAct =
    local !== UNKNOWN &&
    local.role === 'standby' &&
    leader !== UNKNOWN &&
    primary !== UNKNOWN &&
    primary !== null
  const held =
    leader !== UNKNOWN &&
    leader?.session &&
    sessions.ownSessions !== UNKNOWN &&
    !holdsLock({ leader, ownSessions: sessions.ownSessions })
  if (!mayAct || held || members === UNKNOWN) {
    const reachable = members === UNKNOWN ? UNKNOWN : leader
    return {
      self,
      leader: reachable,
      primary,
      sync: rule,
      local,
      ...sessions,
      primaryDatabase: UNKNOWN,
      peers: [],
      waitedMs,
    }
  }
  const isSilent = !leader?.session && lastLook?.primaryDatabase === UNKNOWN
  const [primaryDatabase, ...peers] = await Promise.all([
    primary.node === node || isSilent
      ? Promise.resolve<Unknown>(UNKNOWN)
      : probe(remoteDatabase(primary.address, primary.port), PRIMARY_PROBE_MS),
    ...members
      .filter((member) => member.node !== node && member.node !== primary.node)
      .map(
        async ({ address, port, ...member }): Promise<Peer> => ({
          ...member,
          leadsConsul: leadsConsul(address),
          database: await probe(remoteDatabase(address, port), PROBE_MS),
        }),
      ),
  ])
  return { self, leader, primary, sync: rule, local, ...sessions, primaryDatabase, peers, waitedMs }
}

export interface Member extends Omit<Peer, 'database' | 'leadsConsul'> {
  address: string
  port: number
}

export async function readMembers(consul: Consul): Promise<Member[]> {
  const [databases, seats, checks] = await Promise.all([
    consul.list(postgresqlKeys.nodes),
    consul.get(consulKeys.seats),
    consul.checks(),
  ])
  return [...databases].map(([node, { value }]) => ({
    node,
    address: value.address,
    port: value.port,
    repmgrId: value.repmgrId,
    vipPriority: seats?.value.seats[node]?.vipPriority ?? 0,
    healthy: isHealthy(checks, node),
  }))
}

/** Consul says that the machine is there and that its database answers. */
const isHealthy = (checks: readonly Check[], node: string): boolean =>
  ['serfHealth', 'postgresql'].every((id) =>
    checks.some((check) => check.node === node && check.checkId === id && check.status !== 'critical'),
  )
