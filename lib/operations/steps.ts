import type { Consul } from '../consul/client.ts'
import type { Seat } from '../consul/decide-seat.ts'
import { DEFAULT_PREFIX } from '../consul/entry.ts'
import type { Primary } from '../consul/manifest.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import type { SystemUser } from '../core/users.ts'
import { type FilesUsers, setUpSyncthing } from '../files/join.ts'
import { copyPrimary } from '../postgresql/copy.ts'
import { registerPrimary, registerStandby } from '../postgresql/repmgr.ts'
import {
  applyConfiguration,
  configurePostgresql,
  createRoles,
  POSTGRESQL_PORT,
} from '../postgresql/server.ts'
import { type ClusterFacts, foundCluster, readCluster, takeSeat } from './cluster.ts'
import {
  setUpKeepalived,
  setUpPgbouncer,
  setUpRepmgrd,
  writeRepmgrConfig,
  writeSecrets,
  writeSettings,
} from './daemons.ts'
import type { MachineFacts } from './machine.ts'
import {
  beLeader,
  publishMember,
  reloadServices,
  startConsul,
  waitForChecks,
  waitForStreaming,
  waitForVote,
} from './membership.ts'
import type { JoinOptions } from './options.ts'
import type { Placement } from './preflight.ts'

/** What the steps have found out so far. */
export interface Joining {
  options: JoinOptions
  machine: MachineFacts
  cluster: ClusterFacts | null
  placement: Placement
  version: number
  consul: Consul
  users: { postgres: SystemUser } & FilesUsers
  seat?: Seat
}

/** One step of a join: idempotent, so that a join that failed or was killed is finished by running it again. */
export interface Step {
  title: string
  run(): Promise<void>
}

/** The first machine: a cluster of its own. */
export function firstSteps(joining: Joining, options: JoinOptions & { as: 'first' }): Step[] {
  const { machine, placement, version, consul, users } = joining
  const applicant = { node: machine.node, machineId: machine.machineId, address: placement.address }
  return [
    { title: 'start Consul', run: () => startConsul(consul, machine.node, placement.address, []) },
    {
      title: 'found the cluster',
      async run() {
        await foundCluster(consul, options, applicant, version)
        joining.cluster = await readCluster(consul)
        joining.seat = await takeSeat(consul, applicant)
      },
    },
    {
      title: 'configure PostgreSQL',
      async run() {
        const { config, credentials, primary } = found(joining.cluster)
        configureDatabase(joining)
        await applyConfiguration(version, POSTGRESQL_PORT, users.postgres)
        if (!primary) await createRoles(POSTGRESQL_PORT, config, credentials, users.postgres)
      },
    },
    {
      title: 'register with repmgr',
      run: async () => (found(joining.cluster).primary ? undefined : registerPrimary(users.postgres)),
    },
    ...daemonSteps(joining),
    { title: 'become the primary', run: () => beLeader(consul, settingsOf(joining)) },
    ...lastSteps(joining),
  ]
}

/** Every other machine: a copy of the primary. */
export function joinerSteps(joining: Joining): Step[] {
  const { machine, placement, version, consul, users, options } = joining
  const applicant = { node: machine.node, machineId: machine.machineId, address: placement.address }
  const addresses = options.as === 'joiner' ? options.consulJoin : []
  return [
    { title: 'start Consul', run: () => startConsul(consul, machine.node, placement.address, addresses) },
    {
      title: 'take a seat',
      async run() {
        joining.seat = await takeSeat(consul, applicant)
        joining.cluster = found(await readCluster(consul))
      },
    },
    { title: 'configure PostgreSQL', run: async () => configureDatabase(joining) },
    {
      title: 'copy the primary',
      run: () => copyPrimary(settingsOf(joining), primaryOf(joining), users.postgres),
    },
    {
      title: 'stream from the primary',
      async run() {
        writeSettings(settingsOf(joining))
        await applyConfiguration(version, POSTGRESQL_PORT, users.postgres)
        if (!isPrimary(joining)) await waitForStreaming(POSTGRESQL_PORT, users.postgres)
      },
    },
    {
      title: 'register with repmgr',
      run: async () => (isPrimary(joining) ? undefined : registerStandby(users.postgres)),
    },
    ...daemonSteps(joining),
    ...lastSteps(joining),
  ]
}

function configureDatabase(joining: Joining): void {
  const { version, placement, users } = joining
  const { config, credentials } = found(joining.cluster)
  writeSecrets(config, credentials, users.postgres)
  writeRepmgrConfig(settingsOf(joining))
  configurePostgresql(version, POSTGRESQL_PORT, placement.network, users.postgres)
}

function daemonSteps(joining: Joining): Step[] {
  const { users, consul } = joining
  return [
    {
      title: 'set up PgBouncer',
      async run() {
        const { config, credentials } = found(joining.cluster)
        writeSettings(settingsOf(joining))
        await setUpPgbouncer(config, credentials, users.postgres, users.consul)
      },
    },
    {
      title: 'set up keepalived',
      run: () => setUpKeepalived(found(joining.cluster).config, settingsOf(joining)),
    },
    {
      title: 'set up Syncthing',
      run: () => {
        const { options } = joining
        const mergeFiles = options.as === 'joiner' && options.mergeFiles
        return setUpSyncthing(consul, settingsOf(joining), users, { mergeFiles })
      },
    },
    {
      title: 'register services, checks and watches',
      run: () => reloadServices(consul, settingsOf(joining)),
    },
  ]
}

function lastSteps(joining: Joining): Step[] {
  const { consul } = joining
  return [
    { title: 'publish the member', run: () => publishMember(consul, settingsOf(joining)) },
    { title: 'set up repmgrd', run: setUpRepmgrd },
    {
      title: 'wait for the checks',
      async run() {
        await waitForVote(joining.machine.node)
        await waitForChecks(consul, joining.machine.node)
      },
    },
  ]
}

function settingsOf({ machine, placement, version, cluster, seat }: Joining): Settings {
  const { config } = found(cluster)
  const { repmgrId, vipPriority } = found(seat)
  return {
    schema: 1,
    node: machine.node,
    machineId: machine.machineId,
    address: placement.address,
    interface: placement.interface,
    network: placement.network,
    kvPrefix: DEFAULT_PREFIX,
    virtualIp: config.virtualIp,
    repmgrId,
    vipPriority,
    database: config.database,
    user: config.user,
    postgresqlVersion: version,
    postgresqlPort: POSTGRESQL_PORT,
  }
}

function primaryOf({ cluster }: Joining): Primary {
  const { primary } = found(cluster)
  if (primary) return primary
  throw new UnderstudyError(EXIT.unavailable, 'the cluster has no primary to copy; start it first')
}

/** A machine that joined as a standby may have been promoted since. */
const isPrimary = (joining: Joining): boolean => primaryOf(joining).node === joining.machine.node

/** What an earlier step has found. */
function found<T>(value: T | null | undefined): T {
  if (value === null || value === undefined)
    throw new UnderstudyError(EXIT.failed, 'a step of the join ran before the one it needs')
  return value
}
