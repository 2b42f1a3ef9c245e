import type { Check, Consul } from '../consul/client.ts'
import { type Entry, type Listing, namesIn, valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { leadsConsul } from '../consul/leadership.ts'
import { consulKeys, type Seats } from '../consul/manifest.ts'
import { readSessions } from '../consul/session.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Key } from '../core/key.ts'
import { orUnknown, UNKNOWN, type Unknown, unknownOnFailure } from '../core/unknown.ts'
import type { withDatabase } from './client.ts'
import { localDatabase, probe, probeLocal, remoteDatabase } from './database.ts'
import { type FailoverFacts, holdsLock, type Peer, type Testimony } from './decide-failover.ts'
import { type PostgresqlNode, postgresqlKeys } from './manifest.ts'
import { observeShortages } from './observe-follow.ts'
import type { Sessions } from './sessions.ts'
import { unlockedMs } from './unlocked.ts'
import type { Witness } from './witness.ts'

/** How long another member may take to answer: it is busy with the same event. */
export const PROBE_MS = 300
/** How long the database of this machine may take to answer: nothing can be decided without it. */
const LOCAL_MS = 2000

/** No other machine is published, or there is nothing to ask it for. */
const NOT_ASKED: Testimony = { primaryDatabase: UNKNOWN, silentMs: 0, hasAnswered: false }

/** With the other members. */
export interface GateSessions {
  /** Before the lock is taken. */
  readonly kept: Sessions
  /** Since this machine has held the lock. */
  readonly underLock: Sessions
}

/** All reads of the gate: Consul first, then every database at once. @param sessions of this run. */
export async function observeFailover(
  { settings, consul }: Context,
  witness: Witness,
  sessions: GateSessions,
  run: Pick<FailoverFacts, 'waitedMs' | 'heldMs' | 'promotionFailed'>,
): Promise<FailoverFacts> {
  const { node, repmgrId, vipPriority, postgresqlPort, address: ownAddress } = settings
  const keys = consul.snapshot('postgresql')
  const [snapshot, found, members, consulLeader, local] = await Promise.all([
    orUnknown(keys),
    orUnknown(readSessions(consul, node)),
    orUnknown(
      readMembers(
        { settings, consul },
        keys.then((all) => all.list(postgresqlKeys.nodes)),
      ),
    ),
    orUnknown(consul.leader()),
    probeLocal(localDatabase('postgres', postgresqlPort), LOCAL_MS),
  ])
  const entry = <T>(key: Key<T>): Entry<T> | null | Unknown =>
    snapshot === UNKNOWN ? UNKNOWN : snapshot.get(key)
  const primary = valueIn(entry(consulKeys.primary))
  const leader = entry(consulKeys.leader)
  const leads = (address: string): boolean => consulLeader !== UNKNOWN && leadsConsul(consulLeader, address)
  const self = { node, repmgrId, vipPriority, leadsConsul: leads(ownAddress) }
  const rule = valueIn(entry(postgresqlKeys.sync))
  const confirmed = valueIn(entry(postgresqlKeys.confirmed))
  const locks = {
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
  const underLock = holdsLock({ leader, ownSessions: locks.ownSessions })
  const held = leader !== UNKNOWN && leader?.session && locks.ownSessions !== UNKNOWN && !underLock
  if (!mayAct || held || members === UNKNOWN) {
    const reachable = members === UNKNOWN ? UNKNOWN : leader
    return {
      self,
      leader: reachable,
      primary,
      sync: rule,
      confirmed,
      local,
      ...locks,
      ...NOT_ASKED,
      ...{ peers: [], primaryFails: false, unlockedMs: 0 },
      ...run,
    }
  }
  // A server that was told to reload its settings gives them to a new session, but an old one may still answer with those of before: a
  // member that is about to follow would count as stopped. What leads to a promotion is asked in new sessions.
  const { kept, underLock: fresh } = sessions
  const ask: typeof withDatabase = (target, timeoutMs, work) =>
    (underLock ? fresh : kept).with(target, timeoutMs, work)
  const isOther = primary.node !== node
  const [shortages, , ...peers] = await Promise.all([
    unknownOnFailure(observeShortages({ settings, consul }, local)),
    isOther && witness.ask(primary, underLock),
    ...members
      .filter((member) => member.node !== node && member.node !== primary.node)
      .map(
        async ({ address, port, databaseFails: _, ...member }): Promise<Peer> => ({
          ...member,
          leadsConsul: address !== null && leads(address),
          database: address === null ? UNKNOWN : await probe(remoteDatabase(address, port), PROBE_MS, ask),
        }),
      ),
  ])
  // Here and not before: while the others were asked it may have answered.
  const testimony = isOther ? witness.testimony() : NOT_ASKED
  const unlocked = {
    primaryFails: members.some((member) => member.node === primary.node && member.databaseFails),
    unlockedMs: leader?.session ? 0 : unlockedMs(leader?.modifyIndex ?? 0),
  }
  return {
    ...{ self, leader, primary, sync: rule, confirmed, local, ...locks, ...testimony, peers, ...run },
    ...unlocked,
    shortages,
  }
}

interface ListedMember extends Omit<Peer, 'database' | 'leadsConsul'> {
  /** null where neither its document nor its seat tells. */
  address: string | null
  port: number
  /** Consul's check of its database has failed. Where the machine is only away, the check is as it was. */
  databaseFails: boolean
}

/**
 * All members, by consistent reads. One whose document this machine cannot read is a member all the same: what a commit waits for
 * must not forget it. Its seat tells the address and the repmgr id; all members have the same port.
 * @param documents of the members' databases, if they are being read already.
 */
export async function readMembers(
  { settings, consul }: Context,
  documents: Promise<Listing<PostgresqlNode>> = consul.list(postgresqlKeys.nodes),
): Promise<ListedMember[]> {
  const [databases, seats, checks] = await Promise.all([
    documents,
    readSeats(consul),
    consul.checks(HEALTH_CHECKS),
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
      databaseFails: checks.some(
        (check) => check.node === node && check.checkId === 'postgresql' && check.status === 'critical',
      ),
    }
  })
}

/** Every seat that was taken. @returns null where the document is malformed. */
export async function readSeats(consul: Consul): Promise<Seats['seats'] | null> {
  try {
    return (await consul.get(consulKeys.seats))?.value.seats ?? {}
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.data) return null
    throw error
  }
}

/** The checks that say that a machine is there and that its database answers. */
export const HEALTH_CHECKS = ['serfHealth', 'postgresql'] as const

const isHealthy = (checks: readonly Check[], node: string): boolean =>
  HEALTH_CHECKS.every((id) =>
    checks.some((check) => check.node === node && check.checkId === id && check.status !== 'critical'),
  )
