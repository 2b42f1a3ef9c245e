import { replaceFile } from '../core/atomic-files.ts'
import type { Component, JoinPart } from '../core/component.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Device } from '../core/interfaces.ts'
import { paths } from '../core/paths.ts'
import type { Settings } from '../core/settings.ts'
import { build } from '../core/version.ts'
import type { Consul } from './client.ts'
import type { Seat } from './decide-seat.ts'
import { DEFAULT_PREFIX } from './entry.ts'
import type { Realm } from './realm.ts'
import type {
  Config,
  Credentials,
  DurabilityMode,
  PartMode,
  PlacementPolicy,
  Primary,
  Seats,
} from './schemas.ts'

/** What a person asked for on the first machine, which founds the cluster. */
export interface FirstOptions {
  as: 'first'
  /** null: the cluster has none. */
  virtualIp: string | null
  /** The members' network, where it is not that of the virtual IP. */
  network?: string
  /** Absolute path of a program that is called when the primary changes. */
  virtualIpCommand?: string
  interface?: string
  database: string
  /** Others that are behind PgBouncer too. */
  moreDatabases: string[]
  user: string
  /** Of that user, which exists already. */
  password?: string
  policy: PlacementPolicy
  durability: DurabilityMode
  copyRate?: string
  /** Without it the cluster has no RabbitMQ. */
  rabbitmq?: PartMode
  /** Without it the cluster has no search servers. */
  search?: PartMode
  /** Their unit and their directory of settings, where these are not found. */
  searchUnit?: string
  searchConfig?: string
}

/** What a person asked for on any other machine. */
export interface JoinerOptions {
  as: 'joiner'
  /** Addresses of members. */
  consulJoin: string[]
  interface?: string
  mergeFiles: boolean
  copyRate?: string
}

export type JoinOptions = FirstOptions | JoinerOptions

/** What a join needs to know of the machine, whatever the components are. */
export interface MachineFacts {
  root: boolean
  node: string
  machineId: string
  devices: readonly Device[]
  /** Packages whose programs are not there. */
  missing: string[]
  /** Written by an earlier join; null where there was none. */
  settings: Settings | null
  nowMs: number
}

/** Where this machine is in the cluster's network. */
export interface Placement {
  /** Carries the virtual IP. */
  interface: string
  /** The other members know this machine by it. */
  address: string
  /** Who may connect to PostgreSQL. It has the addresses of all members. */
  network: string
}

/** What a joining machine reads from the cluster. */
export interface ClusterFacts {
  config: Config
  credentials: Credentials
  seats: Seats
  primary: Primary | null
}

/** The PostgreSQL cluster that is to be a member. */
export interface LocalPostgresql {
  version: number
  port: number
  /** What the operator, here and on the primary, has set so that our value gives way. */
  parameters: ReadonlyMap<string, string>
}

/** What a join knows so far. Filled in by the looks and the steps of the components, in their order. */
export interface Joining {
  /** Of understudy itself. */
  readonly version: string
  readonly options: JoinOptions
  readonly machine: MachineFacts
  readonly placement: Placement
  /** Leads into the cluster. In the steps it is this machine's own agent; while a joiner looks, it may be a temporary one. */
  readonly consul: Consul
  /** What keeps the cluster's Consul apart from others; null on the first machine. */
  readonly realm: Realm | null
  /** null on the first machine until the cluster is founded. */
  cluster: ClusterFacts | null
  /** null until it is taken. */
  seat: Seat | null
  /** The PostgreSQL cluster that is to be a member, null until it was looked at. */
  postgresql: LocalPostgresql | null
  readonly components: readonly Pick<Component<never>, 'consul'>[]
  readonly parts: readonly Part[]
}

/** A component's part of a join. */
export type Part = JoinPart<Joining>

/** What this machine is as a candidate for a seat. */
export const applicantOf = ({ machine, placement }: Pick<Joining, 'machine' | 'placement'>) => ({
  node: machine.node,
  machineId: machine.machineId,
  address: placement.address,
})

/** The documents of the cluster, once an earlier step has read them. */
export const clusterOf = ({ cluster }: Pick<Joining, 'cluster'>): ClusterFacts => fromEarlier(cluster)

/** The PostgreSQL cluster of this machine, once it was looked at. */
export const postgresqlOf = ({ postgresql }: Pick<Joining, 'postgresql'>): LocalPostgresql =>
  fromEarlier(postgresql)

/** This machine's settings as a member, once it has a seat. */
export function settingsOf({ machine, placement, cluster, seat, postgresql }: Joining): Settings {
  const { config } = fromEarlier(cluster)
  const { repmgrId, vipPriority } = fromEarlier(seat)
  const { version, port } = fromEarlier(postgresql)
  return {
    schema: 1,
    node: machine.node,
    machineId: machine.machineId,
    address: placement.address,
    interface: placement.interface,
    network: placement.network,
    kvPrefix: DEFAULT_PREFIX,
    virtualIp: config.virtualIp,
    ...(config.virtualIpCommand === undefined ? {} : { virtualIpCommand: config.virtualIpCommand }),
    repmgrId,
    vipPriority,
    database: config.database,
    user: config.user,
    postgresqlVersion: version,
    postgresqlPort: port,
    ...optionalParts(config),
  }
}

/** What a cluster has only where somebody asks for it, as its settings and those of a member say. */
export function optionalParts(from: OptionalParts): OptionalParts {
  const { rabbitmq, search, searchUnit, searchConfig } = from
  return {
    ...(rabbitmq === undefined ? {} : { rabbitmq }),
    ...(search === undefined ? {} : { search }),
    ...(searchUnit === undefined ? {} : { searchUnit }),
    ...(searchConfig === undefined ? {} : { searchConfig }),
  }
}

type OptionalParts = Pick<Config, 'rabbitmq' | 'search' | 'searchUnit' | 'searchConfig'>

/** Writes what the handlers of a member read at their start: from here on they run. */
export function writeSettings(joining: Joining): void {
  // Before the check runs for the first time: what is missing in a first join, the join itself does.
  if (joining.machine.settings === null) markConfigured()
  replaceFile(paths.node, `${JSON.stringify(settingsOf(joining), null, 2)}\n`)
}

/** From now on this machine is known to be configured by this build. */
export const markConfigured = (): boolean => replaceFile(paths.configured, `${build}\n`)

function fromEarlier<T>(value: T | null): T {
  if (value === null)
    throw new UnderstudyError(EXIT.failed, 'a step of the join ran before the one that it needs')
  return value
}
