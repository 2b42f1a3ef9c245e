import type { Consul } from '../consul/client.ts'
import { clusterOf, type Joining, type Part } from '../consul/joining.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { missingPackages, refuseMissing } from '../core/packages.ts'
import { checkPorts } from '../core/ports.ts'
import { ensureRunning } from '../core/systemd.ts'
import { whyNoBroker } from './decide-look.ts'
import { setUpClustered } from './join-clustered.ts'
import { lookAtBroker } from './look.ts'
import { rabbitmq, rabbitmqKeys, rabbitmqPaths, rabbitmqUnits } from './manifest.ts'

/** The first start of the broker, on a busy machine with two cores. */
const START_MS = 120_000

/** AMQP. */
const BROKER_PORT = 5672

const setUp = { phase: 'daemons', title: 'set up RabbitMQ', run: setUpRabbitmq } as const

/** RabbitMQ's part of a join. */
export const part: Part = {
  async look({ options, cluster, consul, machine }) {
    const mode = options.as === 'first' ? options.rabbitmq : cluster?.config.rabbitmq
    // The first machine of a new cluster has no Consul to ask.
    const isNew = options.as === 'first' && machine.settings === null
    await refuseBroker(mode ?? null, machine.node, isNew ? null : consul)
  },
  steps: [setUp],
  upgrade: [setUp],
  checks: ['rabbitmq'],
  leave: [],
}

/**
 * @param consul of the cluster; null where there is none yet.
 * @throws one sentence where this machine cannot have such a broker.
 */
export async function refuseBroker(mode: string | null, node: string, consul: Consul | null): Promise<void> {
  refuseMissing(missingPackages(rabbitmq.package.suggests ?? []))
  checkPorts(rabbitmqUnits.server, [{ port: BROKER_PORT, address: null }])
  if (mode !== 'clustered') return
  const [cluster, own, secrets] = await Promise.all([
    consul?.get(rabbitmqKeys.cluster) ?? null,
    consul?.get(rabbitmqKeys.node(node)) ?? null,
    consul?.get(rabbitmqKeys.secrets) ?? null,
  ])
  const here = await lookAtBroker(node, own?.value.incarnation ?? null, secrets?.value.cookie ?? null)
  const why = whyNoBroker(here, cluster?.value.series ?? null)
  if (why !== null) throw new UnderstudyError(EXIT.config, why)
}

async function setUpRabbitmq(joining: Joining): Promise<void> {
  const { config } = clusterOf(joining)
  // On a member that was not asked: the cluster got its RabbitMQ elsewhere.
  await refuseBroker(config.rabbitmq ?? null, joining.machine.node, joining.consul)
  if (config.rabbitmq === 'clustered') await setUpClustered(joining)
  // A broker that is not replicated stays as the operator has configured it: it only has to run.
  else await ensureRunning(rabbitmqUnits.server, [], 'restart', START_MS)
  await ensureRunning(rabbitmqUnits.log, [])
  replaceFile(rabbitmqPaths.configured, `${config.rabbitmq}\n`)
}
