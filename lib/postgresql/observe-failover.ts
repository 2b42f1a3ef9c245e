import type { Check, Consul } from '../consul/client.ts'
import { namesIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys, type Seats } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import { localDatabase, probe, probeLocal, remoteDatabase } from './database.ts'
import { type FailoverFacts, holdsLock, type Peer } from './decide-failover.ts'
import { postgresqlKeys } from './manifest.ts'

/** How long the old primary may take to answer: it is mostly silent, so that this time is part of every failover. */
export const PRIMARY_PROBE_MS = 200
/** How long another member may take to answer: it is busy with the same event. */
export const PROBE_MS = 300
/** How long the database of this machine may take to answer: nothing can be decided without it. */
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
    orUnknown(readMembers({ settings, consul })),
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

  // Only a standby that may be promoted asks the others.
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
          leadsConsul: address !== null && leadsConsul(address),
          database: address === null ? UNKNOWN : await probe(remoteDatabase(address, port), PROBE_MS),
        }),
      ),
  ])
  return { self, leader, primary, sync: rule, local, ...sessions, primaryDatabase, peers, waitedMs }
}

interface ListedMember extends Omit<Peer, 'database' | 'leadsConsul'> {
  /** null where neither its document nor its seat tells. */
  address: string | null
  port: number
}

/**
 * All members, by consistent reads. One whose document this machine cannot read is a member all the same: what a commit waits for
 * must not forget it. Its seat tells the address and the repmgr id; all members have the same port.
 */
export async function readMembers({ settings, consul }: Context): Promise<ListedMember[]> {
  const [databases, seats, checks] = await Promise.all([
    consul.list(postgresqlKeys.nodes),
    readSeats(consul),
    consul.checks(),
  ])
  return namesIn(databases).map((node) => {
    const database = databases.valid.get(node)
    const seat = seats?.[node]
    const address = database?.address ?? seat?.address ?? null
    return {
      node,
      address,
      port: database?.port ?? settings.postgresqlPort,
      repmgrId: database?.repmgrId ?? seat?.repmgrId ?? 0,
      vipPriority: seat?.vipPriority ?? 0,
      healthy: address !== null && isHealthy(checks, node),
    }
  })
}

/** The seats; none where the document is missing or malformed: here they only decide between equally good candidates. */

/** Every seat that was taken. @returns null where the document is malformed. */
export async function readSeats(consul: Consul): Promise<Seats['seats'] | null> {
  try {
    return (await consul.get(consulKeys.seats))?.value.seats ?? {}
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.data) return null
    throw error
  }
}

/** Consul says that the machine is there and that its database answers. */
const isHealthy = (checks: readonly Check[], node: string): boolean =>
  ['serfHealth', 'postgresql'].every((id) =>
    checks.some((check) => check.node === node && check.checkId === id && check.status !== 'critical'),
  )
