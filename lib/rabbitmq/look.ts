import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readText } from '../core/atomic-files.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import { unitStates } from '../core/systemd.ts'
import { installedSeries, readData } from './broker.ts'
import { othersIn, ownSetting } from './config.ts'
import { brokerCommand } from './ctl.ts'
import { type BrokerContents, type BrokerHere, whoseCookie } from './decide-look.ts'
import { rabbitmqPaths, rabbitmqUnits } from './manifest.ts'

/**
 * What this machine has of RabbitMQ, before it gets a clustered broker.
 * @param incarnation of this machine's broker in this cluster; null where it has none.
 * @param cookie of the cluster's brokers; null where there are none yet.
 */
export async function lookAtBroker(
  node: string,
  incarnation: string | null,
  cookie: string | null,
): Promise<BrokerHere> {
  const data = readData(node)
  const mark =
    data.state !== 'marked'
      ? 'none'
      : data.incarnation === incarnation
        ? ('ours' as const)
        : ('other' as const)
  const { server } = rabbitmqUnits
  const runs = (await unitStates([server])).get(server) === 'active'
  return {
    settingsIn: settingsFile(),
    mark,
    used: data.state !== 'blank',
    cookie: whoseCookie(readText(rabbitmqPaths.cookie), cookie),
    holds: runs && mark === 'none' && data.state !== 'blank' ? await contents(node) : null,
    series: installedSeries(),
  }
}

/** A file in which the operator, or another package, has set something. */
function settingsFile(): string | null {
  const { settings, config, environment } = rabbitmqPaths
  const parts = join(settings, 'conf.d')
  const files = [config, environment, join(settings, 'advanced.config'), ...inDirectory(parts)]
  return files.find((file) => ownSetting(readText(file) ?? '') !== null) ?? null
}

function inDirectory(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name))
  } catch {
    return []
  }
}

/** What the running broker has defined. Queues that are not durable have no messages that outlive it. */
async function contents(node: string): Promise<BrokerContents> {
  try {
    const said = await brokerCommand('rabbitmqctl', [
      'export_definitions',
      '-',
      '--format',
      'json',
      '--silent',
    ])
    const definitions = JSON.parse(said) as Partial<Record<keyof BrokerContents, { name: string }[]>>
    const names = (kind: keyof BrokerContents): string[] => definitions[kind]?.map(({ name }) => name) ?? []
    const status = await brokerCommand('rabbitmqctl', ['cluster_status', '--formatter', 'json'])
    return {
      others: othersIn(status, node),
      users: names('users'),
      vhosts: names('vhosts'),
      queues: names('queues'),
      exchanges: names('exchanges'),
      policies: names('policies'),
    }
  } catch (cause) {
    throw new UnderstudyError(EXIT.unavailable, `RabbitMQ does not say what it holds: ${explain(cause)}`)
  }
}
