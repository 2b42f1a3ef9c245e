import { Consul } from '../consul/client.ts'
import { claimSeat } from '../consul/decide-seat.ts'
import type { Primary } from '../consul/manifest.ts'
import { throughProbe } from '../consul/probe.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import { unit } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { systemUser } from '../core/users.ts'
import { checkOwnFiles } from '../files/join.ts'
import { withDatabase } from '../postgresql/client.ts'
import { remoteDatabase } from '../postgresql/database.ts'
import { postgresqlPaths, postgresqlUnits } from '../postgresql/manifest.ts'
import { isPristine, POSTGRESQL_PORT, systemIdentifier } from '../postgresql/server.ts'
import { type ClusterFacts, readCluster } from './cluster.ts'
import type { MachineFacts } from './machine.ts'
import type { JoinOptions } from './options.ts'
import { checkClock, placeMachine } from './preflight.ts'

const PRIMARY_MS = 5000

/** What the cluster is, as seen from a machine that wants to join. @throws one sentence where it cannot join. */
export async function lookAround(
  machine: MachineFacts,
  { consulJoin: addresses, interface: device, mergeFiles }: JoinOptions & { as: 'joiner' },
): Promise<ClusterFacts> {
  const cluster = await readThrough(addresses, machine)
  if (!cluster) {
    throw new UnderstudyError(
      EXIT.config,
      `the Consul at ${addresses.join(' or ')} holds no understudy cluster; start one with --virtual-ip`,
    )
  }
  const { config, seats, primary } = cluster
  const { address } = placeMachine(machine, config.virtualIp, device)
  const claim = claimSeat(seats, { node: machine.node, machineId: machine.machineId, address })
  if (claim.outcome === 'refused') throw new UnderstudyError(EXIT.config, claim.why)
  if (!machine.postgresqlVersions.includes(config.postgresqlVersion)) {
    const here = machine.postgresqlVersions.join(', ')
    throw new UnderstudyError(
      EXIT.config,
      `the cluster runs PostgreSQL ${config.postgresqlVersion}, this machine has ${here}; install postgresql-${config.postgresqlVersion}`,
    )
  }
  if (!primary)
    throw new UnderstudyError(EXIT.unavailable, 'the cluster has no primary to copy; start it first')
  await checkOwnFiles(cluster.folders, mergeFiles)
  await comparePrimary(cluster, primary)
  return cluster
}

/** A machine that is a member already asks its own Consul; any other looks through a temporary client. */
async function readThrough(
  addresses: readonly string[],
  machine: MachineFacts,
): Promise<ClusterFacts | null> {
  if (machine.settings) {
    const consul = new Consul()
    const own = await orUnknown(readCluster(consul))
    consul.close()
    // Where it does not answer: look from outside.
    if (own !== UNKNOWN) return own && checkAddresses(own, addresses)
  }
  return throughProbe(addresses, machine.node, readCluster)
}

/** The addresses a member is given must be those of its own cluster: two clusters that gossip would become one. */
function checkAddresses(cluster: ClusterFacts, addresses: readonly string[]): ClusterFacts {
  const members = Object.values(cluster.seats.seats).map(({ address }) => address)
  const stranger = addresses.find((address) => !members.includes(address))
  if (stranger === undefined) return cluster
  throw usageError(
    `this machine is a member of the cluster of ${members.join(', ')}, which ${stranger} is not`,
  )
}

/** The primary's clock and identity: compares the clock, and makes sure that no data of somebody else is here. */
async function comparePrimary({ config, credentials }: ClusterFacts, primary: Primary): Promise<void> {
  const remote = await withDatabase(
    remoteDatabase(primary.address, primary.port, credentials.monitor),
    PRIMARY_MS,
    async (connection) => {
      const [row] = await connection.query<{ ms: string; id: string }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms, (select system_identifier::text from pg_control_system()) as id',
      )
      return row
    },
  )
  if (!remote)
    throw new UnderstudyError(EXIT.unavailable, `the primary ${primary.node} said nothing of its clock`)
  checkClock(Date.now(), Number(remote.ms))

  const own = await systemIdentifier(config.postgresqlVersion)
  if (own === null || own === remote.id) return
  await unit('start', postgresqlUnits.server(config.postgresqlVersion))
  if (await isPristine(POSTGRESQL_PORT, await systemUser('postgres'))) return
  const directory = postgresqlPaths.data(config.postgresqlVersion)
  throw new UnderstudyError(
    EXIT.config,
    `the PostgreSQL cluster in ${directory} holds data, which joining would replace; save it and remove it first (pg_dropcluster --stop ${config.postgresqlVersion} main; pg_createcluster ${config.postgresqlVersion} main)`,
  )
}
