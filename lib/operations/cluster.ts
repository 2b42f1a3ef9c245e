import { randomBytes, randomUUID } from 'node:crypto'
import type { Consul } from '../consul/client.ts'
import { type Applicant, claimSeat, type Seat } from '../consul/decide-seat.ts'
import { type Config, type Credentials, consulKeys, type Primary, type Seats } from '../consul/manifest.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { Folders } from '../files/decide-folders.ts'
import { readSharedFolders } from '../files/document.ts'
import type { JoinOptions } from './options.ts'

/** What a joining machine reads from the cluster. */
export interface ClusterFacts {
  config: Config
  credentials: Credentials
  seats: Seats
  primary: Primary | null
  /** null where files are not replicated yet. */
  folders: Folders | null
}

/** @returns null where this Consul holds no understudy cluster. */
export async function readCluster(consul: Consul): Promise<ClusterFacts | null> {
  const [config, credentials, seats, primary, folders] = await Promise.all([
    consul.get(consulKeys.config),
    consul.get(consulKeys.credentials),
    consul.get(consulKeys.seats),
    consul.get(consulKeys.primary),
    readSharedFolders(consul),
  ])
  if (!config || !credentials || !seats) return null
  return {
    config: config.value,
    credentials: credentials.value,
    seats: seats.value,
    primary: primary?.value ?? null,
    folders,
  }
}

/** Founds the cluster: settings, secrets and the first seat, all in one transaction that succeeds once. */
export async function foundCluster(
  consul: Consul,
  options: JoinOptions & { as: 'first' },
  applicant: Applicant,
  postgresqlVersion: number,
): Promise<void> {
  const { virtualIp, database, user, policy, durability } = options
  const lastOctet = Number(virtualIp.split('/')[0]?.split('.')[3])
  const config: Config = {
    schema: 1,
    clusterId: randomUUID(),
    virtualIp,
    routerId: lastOctet || 1,
    policy,
    durability,
    database,
    user,
    postgresqlVersion,
  }
  const secret = (): string => randomBytes(24).toString('base64url')
  const credentials: Credentials = { schema: 1, repmgr: secret(), monitor: secret(), app: secret() }
  const claim = claimSeat(null, applicant)
  if (claim.outcome !== 'claimed')
    throw new UnderstudyError(EXIT.failed, 'the first seat could not be claimed')
  const founded = await consul.transaction([
    { verb: 'cas', key: consulKeys.config.path, value: config, index: 0 },
    { verb: 'cas', key: consulKeys.credentials.path, value: credentials, index: 0 },
    { verb: 'cas', key: consulKeys.seats.path, value: claim.seats, index: 0 },
  ])
  if (founded) return
  // An earlier run has founded it: that this one wants the same is for us to check, whose seat it is for the caller.
  const existing = (await consul.get(consulKeys.config))?.value
  const differs = (['virtualIp', 'database', 'user', 'policy', 'durability'] as const).find(
    (name) => existing?.[name] !== config[name],
  )
  if (differs === undefined) return
  throw usageError(
    `this machine has begun a cluster with ${differs} ${existing?.[differs]}, not ${config[differs]}; join again with the same settings`,
  )
}

/** Takes a seat by compare-and-set, against any number of others who do the same. */
export async function takeSeat(consul: Consul, applicant: Applicant): Promise<Seat> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const entry = await consul.get(consulKeys.seats)
    const claim = claimSeat(entry?.value ?? null, applicant)
    if (claim.outcome === 'refused') throw new UnderstudyError(EXIT.config, claim.why)
    if (claim.outcome === 'held') return claim.seat
    if (await consul.compareAndSet(consulKeys.seats, claim.seats, entry?.modifyIndex ?? 0)) return claim.seat
  }
  throw new UnderstudyError(
    EXIT.retry,
    'could not take a seat: others were quicker every time; run understudy join again',
  )
}
