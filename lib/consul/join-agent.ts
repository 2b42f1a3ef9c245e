import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { readText, replaceFile, replaceLink } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { ensureRunning, unit } from '../core/systemd.ts'
import { orUnknown } from '../core/unknown.ts'
import { systemUser } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import {
  renderConsulAgent,
  renderConsulBootstrap,
  renderConsulMembers,
  renderConsulServices,
} from './config.ts'
import { type Joining, settingsOf } from './joining.ts'
import { readData } from './look-data.ts'
import { readSetup } from './look-setup.ts'
import { consulPaths, consulUnits } from './manifest.ts'
import { otherAddresses } from './member-list.ts'
import { answersAt } from './probe.ts'
import { type Realm, realmIn, SERVER_PORTS } from './realm.ts'

/** An agent that has just started finds the members and their leader within seconds; an election takes a few more. */
const LEADER_MS = 30_000
/** The agent on this machine answers in a millisecond. */
export const AGENT_LOOK_MS = 50
/** An agent has its services some milliseconds after a reload, unless the machine is busy. */
const SERVICES_MS = 30_000

/** Starts the agent and waits until there is a leader. The first machine makes a cluster of its own, once. */
export async function startConsul(joining: Joining): Promise<void> {
  const { options, machine, placement, consul } = joining
  const { address } = placement
  const { dataDirectory, why } = await readSetup()
  if (dataDirectory === null) throw new UnderstudyError(EXIT.config, why ?? 'Consul has no data directory')
  const others = await writeMembers(joining)
  const agent = { node: machine.node, address, dataDirectory, realm: await realmOf(joining) }
  replaceFile(consulPaths.config, renderConsulAgent(agent))
  const files: string[] = [consulPaths.config]
  // Only a server that has never run may found a cluster; one whose first start was interrupted still may.
  const mayFound = !readData(dataDirectory, []).begun || existsSync(consulPaths.bootstrap)
  if (options.as === 'first' && machine.settings === null && mayFound) {
    replaceFile(consulPaths.bootstrap, renderConsulBootstrap())
    files.push(consulPaths.bootstrap)
  }
  await ensureRunning(consulUnits.agent, files)
  // One that has been running for long has looked for others when it started.
  await Promise.all(others.map((member) => orUnknown(consul.join(member))))
  await waitFor('Consul to have a leader', LEADER_MS, () => consul.leader(), AGENT_LOOK_MS)
  rmSync(consulPaths.bootstrap, { force: true })
}

/** For a cluster that is being founded: a port at which nothing listens here. */
async function newRealm(address: string): Promise<Realm> {
  let serverPort: number
  do serverPort = randomInt(SERVER_PORTS.from, SERVER_PORTS.to + 1)
  while (await answersAt(address, serverPort))
  return { datacenter: `understudy-${randomBytes(4).toString('hex')}`, serverPort }
}

/** What keeps this cluster's Consul apart: that of the cluster, else of an earlier join here, else a new one. */
async function realmOf({ realm, placement }: Joining): Promise<Realm> {
  if (realm !== null) return realm
  const configuration = readText(consulPaths.config)
  return configuration === null ? newRealm(placement.address) : realmIn(configuration)
}

/** Tells the agent whom to look for at its start. @returns their addresses. */
async function writeMembers({ options, cluster, placement }: Joining): Promise<string[]> {
  const { uid, gid } = await systemUser('consul')
  const typed = options.as === 'joiner' ? options.consulJoin : []
  const others = otherAddresses([...typed, ...addressesIn(cluster)], placement.address)
  // The first machine has not read who else there is.
  if (options.as === 'joiner' || readText(consulPaths.memberList) === null)
    replaceFile(consulPaths.memberList, renderConsulMembers(others), { uid, gid })
  replaceLink(consulPaths.members, consulPaths.memberList)
  return others
}

const addressesIn = (cluster: Joining['cluster']): string[] =>
  Object.values(cluster?.seats.seats ?? {}).map(({ address }) => address)

/** Gives the agent what it runs for us: the services, checks and watches of all components. */
export async function registerServices(joining: Joining): Promise<void> {
  const { consul, components } = joining
  const text = renderConsulServices(components, settingsOf(joining))
  const changed = replaceFile(consulPaths.services, text)
  if (changed || (await consul.serviceTags('understudy')) === null) await unit('reload', consulUnits.agent)
  await waitFor(
    "Consul to have this machine's services",
    SERVICES_MS,
    () => consul.serviceTags('understudy'),
    AGENT_LOOK_MS,
  )
}
