import { existsSync, rmSync } from 'node:fs'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { ensureRunning, unit } from '../core/systemd.ts'
import { waitFor } from '../core/wait.ts'
import { renderConsulAgent, renderConsulBootstrap, renderConsulServices } from './config.ts'
import { type Joining, settingsOf } from './joining.ts'
import { consulPaths, consulUnits } from './manifest.ts'

/** An agent that has just started finds the members and their leader within seconds; an election takes a few more. */
const LEADER_MS = 30_000
/** An agent has its services some milliseconds after a reload, unless the machine is busy. */
const SERVICES_MS = 30_000

/** HashiCorp's package keeps Consul's data in /opt/consul, Debian's in /var/lib/consul. */
export const consulData = (): string => (existsSync('/opt/consul') ? '/opt/consul' : consulPaths.data)

/** Starts the agent and waits until there is a leader. The first machine makes a cluster of its own, once. */
export async function startConsul({ options, machine, placement, consul }: Joining): Promise<void> {
  const { address } = placement
  const named = options.as === 'joiner' ? options.consulJoin.filter((member) => member !== address) : []
  // Joining again without naming anybody else must not make a member forget whom it joined.
  const join = named.length > 0 ? named : joinedBefore()
  const agent = { node: machine.node, address, dataDirectory: consulData(), join }
  replaceFile(consulPaths.config, renderConsulAgent(agent))
  const files: string[] = [consulPaths.config]
  // Only a server that has never run may found a cluster; one whose first start was interrupted still may.
  const begun = existsSync(`${consulData()}/raft`)
  if (options.as === 'first' && (!begun || existsSync(consulPaths.bootstrap))) {
    replaceFile(consulPaths.bootstrap, renderConsulBootstrap())
    files.push(consulPaths.bootstrap)
  }
  await ensureRunning(consulUnits.agent, files)
  await waitFor('Consul to have a leader', LEADER_MS, () => consul.leader())
  rmSync(consulPaths.bootstrap, { force: true })
}

/** Whom the agent joins, by its configuration. */
const joinedBefore = (): string[] =>
  (JSON.parse(readText(consulPaths.config) ?? '{}') as { retry_join?: string[] }).retry_join ?? []

/** Gives the agent what it runs for us: the services, checks and watches of all components. */
export async function registerServices(joining: Joining): Promise<void> {
  const { consul, components } = joining
  const text = renderConsulServices(components, settingsOf(joining))
  const changed = replaceFile(consulPaths.services, text)
  if (changed || (await consul.serviceTags('understudy')) === null) await unit('reload', consulUnits.agent)
  await waitFor("Consul to have this machine's services", SERVICES_MS, () => consul.serviceTags('understudy'))
}
