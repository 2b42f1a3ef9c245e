import { randomBytes, randomUUID } from 'node:crypto'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { Consul } from './client.ts'
import { LOST } from './decide-join.ts'
import { type Applicant, claimSeat, type Seat } from './decide-seat.ts'
import {
  applicantOf,
  type ClusterFacts,
  type FirstOptions,
  type Joining,
  optionalParts,
  postgresqlOf,
} from './joining.ts'
import { consulKeys } from './manifest.ts'
import type { Config, Credentials } from './schemas.ts'

/** Each lost attempt means that another machine has taken a seat, of which there are 20. */
const ATTEMPTS = 50
/** What the first machine chooses. */
const SETTINGS = [
  'virtualIp',
  'network',
  'virtualIpCommand',
  'database',
  'user',
  'policy',
  'durability',
  'copyRate',
  'rabbitmq',
  'search',
  'searchUnit',
  'searchConfig',
] as const

/** @returns null where this Consul holds no understudy cluster. */
export async function readCluster(consul: Consul): Promise<ClusterFacts | null> {
  const [config, credentials, seats, primary] = await Promise.all([
    consul.get(consulKeys.config),
    consul.get(consulKeys.credentials),
    consul.get(consulKeys.seats),
    consul.get(consulKeys.primary),
  ])
  if (!config || !credentials || !seats) return null
  return {
    config: config.value,
    credentials: credentials.value,
    seats: seats.value,
    primary: primary?.value ?? null,
  }
}

/** Founds the cluster, unless an earlier run has, and takes this machine's seat. */
export async function foundCluster(joining: Joining): Promise<void> {
  const { options, consul } = joining
  if (options.as !== 'first') return
  // Our own Consul was silent when the join looked.
  if (joining.machine.settings !== null && (await readCluster(consul)) === null)
    throw new UnderstudyError(EXIT.config, LOST)
  const applicant = applicantOf(joining)
  await writeCluster(joining, options)
  joining.cluster = await readCluster(consul)
  joining.seat = await claim(consul, applicant)
}

/** Takes this machine's seat in a cluster that is there. */
export async function takeSeat(joining: Joining): Promise<void> {
  joining.seat = await claim(joining.consul, applicantOf(joining))
  joining.cluster = await readCluster(joining.consul)
}

/** Settings, secrets and the first seat, all in one transaction that succeeds once. */
async function writeCluster(joining: Joining, options: FirstOptions): Promise<void> {
  const { consul, placement } = joining
  const { virtualIp, virtualIpCommand, database, user, password, policy, durability, copyRate } = options
  // Without a virtual IP nothing else would tell joining machines where the members are.
  const network = options.network ?? (virtualIp === null ? placement.network : null)
  const lastOctet = Number(virtualIp?.split('/')[0]?.split('.')[3])
  const config: Config = {
    schema: 1,
    clusterId: randomUUID(),
    virtualIp,
    ...(network === null ? {} : { network }),
    ...(virtualIpCommand === undefined ? {} : { virtualIpCommand }),
    vrrp: 'unicast',
    routerId: lastOctet || 1,
    policy,
    durability,
    ...(copyRate === undefined ? {} : { copyRate }),
    database,
    user,
    postgresqlVersion: postgresqlOf(joining).version,
    ...optionalParts(options),
  }
  const secret = (): string => randomBytes(24).toString('base64url')
  const app = password ?? secret()
  const credentials: Credentials = { schema: 1, repmgr: secret(), monitor: secret(), app }
  const first = claimSeat(null, applicantOf(joining))
  if (first.outcome !== 'claimed')
    throw new UnderstudyError(EXIT.failed, 'the first seat could not be claimed')
  const founded = await consul.transaction([
    { verb: 'cas', key: consulKeys.config.path, value: config, index: 0 },
    { verb: 'cas', key: consulKeys.credentials.path, value: credentials, index: 0 },
    { verb: 'cas', key: consulKeys.seats.path, value: first.seats, index: 0 },
  ])
  if (!founded) await compareSettings(consul, config)
}

/** @throws where an earlier run on this machine has founded the cluster with other settings. */
async function compareSettings(consul: Consul, wanted: Config): Promise<void> {
  const existing = (await consul.get(consulKeys.config))?.value
  const differs = SETTINGS.find((name) => existing?.[name] !== wanted[name])
  if (differs === undefined) return
  const said = (config: Config | undefined): string => String(config?.[differs] ?? 'none')
  throw usageError(
    `an earlier join on this machine has begun a cluster with --${optionOf(differs)} ${said(existing)}, not ${said(wanted)}; join again with the same settings`,
  )
}

/** virtual-ip for virtualIp. */
const optionOf = (name: (typeof SETTINGS)[number]): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** Takes a seat by compare-and-set, against any number of others who do the same. */
async function claim(consul: Consul, applicant: Applicant): Promise<Seat> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await consul.get(consulKeys.seats)
    const claimed = claimSeat(entry?.value ?? null, applicant)
    if (claimed.outcome === 'refused') throw new UnderstudyError(EXIT.config, claimed.why)
    if (claimed.outcome === 'held') return claimed.seat
    if (await consul.compareAndSet(consulKeys.seats, claimed.seats, entry)) return claimed.seat
  }
  throw new UnderstudyError(
    EXIT.retry,
    'could not take a seat, because other machines took theirs at the same moment; run understudy join again',
  )
}
