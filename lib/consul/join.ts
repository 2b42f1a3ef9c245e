import { readText } from '../core/atomic-files.ts'
import type { WantedPort } from '../core/decide-ports.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { tryRun } from '../core/exec.ts'
import { paths } from '../core/paths.ts'
import { checkPorts } from '../core/ports.ts'
import { unitStates } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { systemUser } from '../core/users.ts'
import { Consul, HTTP_PORT } from './client.ts'
import { type RunningFacts, whyNotMember } from './decide-join.ts'
import { registerServices, startConsul } from './join-agent.ts'
import { foundCluster, readCluster, takeSeat } from './join-cluster.ts'
import { confirmMember, publishMember } from './join-member.ts'
import { applicantOf, type Joining, type Part } from './joining.ts'
import { readData } from './look-data.ts'
import { readSetup } from './look-setup.ts'
import { consulPaths, consulUnits } from './manifest.ts'
import { answersAt, SERF_PORT } from './probe.ts'
import { DEFAULT_REALM, type Realm, realmIn } from './realm.ts'

/** Consul's default for its DNS. */
const DNS_PORT = 8600

/** What of Consul runs on this machine, whoever started it. */
async function readRunning({ placement, realm }: Joining): Promise<RunningFacts> {
  const members = await orUnknown(new Consul().members())
  const agent =
    members === UNKNOWN ? null : { server: members.some(({ server }) => server), others: members.length - 1 }
  const state = (await unitStates([consulUnits.agent])).get(consulUnits.agent)
  const listening = await Promise.all(
    [
      ['127.0.0.1', HTTP_PORT],
      [placement.address, SERF_PORT],
      [placement.address, realm?.serverPort ?? DEFAULT_REALM.serverPort],
    ].map(async ([host, port]) =>
      (await answersAt(host as string, port as number)) ? [port as number] : [],
    ),
  )
  return { agent, unit: state === 'active' || state === 'activating', port: listening.flat()[0] ?? null }
}

/** Where the agent listens. A cluster that is being founded takes a port for its servers that is free. */
function portsOf(address: string, realm: Realm | null): WantedPort[] {
  const inside = realm === null ? [SERF_PORT] : [SERF_PORT, realm.serverPort]
  return [
    ...[HTTP_PORT, DNS_PORT].map((port) => ({ port, address: '127.0.0.1' })),
    ...inside.map((port) => ({ port, address })),
  ]
}

const readNodeIds = async (consul: Consul): Promise<Record<string, string>> =>
  Object.fromEntries((await consul.members()).map(({ name, nodeId }) => [name, nodeId]))

/** Consul's part of a join. */
export const part: Part = {
  async look(joining) {
    const { machine, options } = joining
    const setup = await readSetup()
    const configuration = readText(consulPaths.config)
    const own = configuration === null ? null : realmIn(configuration)
    const addresses = ['127.0.0.1', ...machine.devices.map(({ address }) => address)]
    const member = machine.settings !== null
    const why = whyNotMember({
      as: options.as,
      setup,
      data: setup.dataDirectory === null ? null : readData(setup.dataDirectory, addresses),
      running: await readRunning(joining),
      own,
      realm: joining.realm,
      member,
      empty: options.as === 'first' && member && (await orUnknown(readCluster(joining.consul))) === null,
      nodeIds: joining.cluster === null ? null : await readNodeIds(joining.consul),
      seats: joining.cluster?.seats ?? null,
      applicant: applicantOf(joining),
    })
    if (why !== null) throw new UnderstudyError(EXIT.config, why)
    checkPorts(consulUnits.agent, portsOf(joining.placement.address, own ?? joining.realm))
    await systemUser('consul')
  },
  steps: [
    { phase: 'membership', title: 'start Consul', run: startConsul },
    { phase: 'membership', only: 'first', title: 'found the cluster', run: foundCluster },
    { phase: 'membership', only: 'joiner', title: 'take a seat', run: takeSeat },
    { phase: 'registration', title: 'register services, checks and watches', run: registerServices },
    { phase: 'publication', title: 'publish the member', run: publishMember },
    { phase: 'confirmation', title: 'wait for the checks', run: confirmMember },
  ],
  upgrade: [
    { phase: 'membership', title: 'configure Consul', run: configureConsul },
    { phase: 'membership', title: 'read the cluster', run: takeSeat },
    { phase: 'registration', title: 'register services, checks and watches', run: registerServices },
    { phase: 'publication', title: 'publish the member', run: publishMember },
  ],
  checks: ['serfHealth', 'understudy'],
  firstRuns: { understudy: runCheck },
  leave: [],
}

/** An agent that a person has stopped stays stopped. */
async function configureConsul(joining: Joining): Promise<void> {
  const { agent } = consulUnits
  if ((await unitStates([agent])).get(agent) !== 'active')
    throw new UnderstudyError(EXIT.unavailable, `${agent} does not run`)
  await startConsul(joining)
}

/** The periodic check itself gives up after 13 s. */
const CHECK_MS = 20_000

/**
 * The periodic check, as the agent runs it: as the user consul, and with nothing of the environment of this process. It looks once: a
 * join runs it again until nothing is wrong.
 */
async function runCheck(): Promise<string> {
  const asConsul = ['--reuid=consul', '--regid=consul', '--init-groups', '--reset-env']
  const argv = [...asConsul, paths.handler('check'), '--once']
  const { exitCode, stdout, stderr } = await tryRun('setpriv', argv, { timeoutMs: CHECK_MS })
  if (exitCode === 0) return stdout
  throw new UnderstudyError(EXIT.failed, stdout.trim() || stderr.trim() || `it ended with ${exitCode}`)
}
