import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Operation } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { replaceFile, syncToDisk } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { unit } from '../core/systemd.ts'
import { installedSeries } from './broker.ts'
import { addHost, FIRST_USER, renderDefinitions, renderNames } from './config.ts'
import { keepCookie } from './cookie.ts'
import { brokerCommand } from './ctl.ts'
import type { BrokerNode, RabbitmqPlan } from './decide.ts'
import {
  type ClusterDocument,
  type NodeState,
  rabbitmqKeys,
  rabbitmqPaths,
  rabbitmqUnits,
  VHOST,
} from './manifest.ts'
import { killServer } from './server.ts'

/** The first start of a broker on a busy machine with two cores. */
const START_MS = 180_000
/** A broker that is asked to stop hands its queues over first. */
const STOP_MS = 60_000

const server = rabbitmqUnits.server
/**
 * Clients connect again, and send again what was not confirmed. Only those of this broker: `close_all_connections` closes those of
 * all brokers.
 */
const CLOSE_CONNECTIONS =
  'rabbit_networking:close_connections(rabbit_networking:local_connections(), "this broker was cut off from the others").'
const erlangName = (node: string): string => `rabbit@${node}`

/** Carries out one step; whoever was ended in the middle of it does it again. @param session which holds the lock. */
export async function applyRabbitmq(plan: RabbitmqPlan, context: Context, session: string): Promise<void> {
  const { settings, consul } = context
  const { node } = settings
  const members = new Members(context, session)
  switch (plan.do) {
    case 'lock': {
      const lock = await consul.get(rabbitmqKeys.lock)
      await consul.acquire(rabbitmqKeys.lock, { schema: 1, node }, session, lock?.modifyIndex ?? 0)
      break
    }
    case 'unlock':
      await consul.release(rabbitmqKeys.lock, { schema: 1, node }, session)
      break
    case 'names':
      replaceFile(rabbitmqPaths.names, renderNames(plan.names))
      // A running broker has read the file at its start.
      for (const [name, address] of plan.names) await ifRunning(['eval', addHost(name, address)])
      break
    case 'claim':
      await members.write([
        setCluster({ schema: 1, series: installedSeries(), founder: node, founded: false }),
      ])
      break
    case 'announce':
      await members.announce(plan.state)
      break
    case 'start':
      await keepCookie(context)
      await unit('start', server, START_MS)
      break
    case 'stop':
      await unit('stop', server, STOP_MS)
      break
    case 'put-aside':
      putAside(node)
      break
    case 'found':
      await found(context)
      await members.mark()
      await members.announce(
        'joined',
        setCluster({ schema: 1, series: installedSeries(), founder: node, founded: true }),
      )
      break
    case 'join':
      await brokerCommand('rabbitmqctl', ['stop_app'])
      await brokerCommand('rabbitmqctl', ['join_cluster', erlangName(plan.through)], /already/)
      await brokerCommand('rabbitmqctl', ['start_app'])
      await members.mark()
      break
    case 'grow':
      await brokerCommand('rabbitmq-queues', ['grow', erlangName(node), 'all'])
      await members.announce('member')
      break
    case 'restart-app':
      await brokerCommand('rabbitmqctl', ['stop_app'])
      await brokerCommand('rabbitmqctl', ['start_app'])
      break
    case 'force-boot':
      await brokerCommand('rabbitmqctl', ['force_boot'])
      // If this run ends here, systemd starts it again.
      await killServer()
      await unit('start', server, START_MS)
      break
    case 'record':
      if (plan.close) await brokerCommand('rabbitmqctl', ['eval', CLOSE_CONNECTIONS])
      await consul.set(rabbitmqKeys.running, { schema: 1, nodes: [...plan.running] })
      break
    case 'forget': {
      await keepCookie(context)
      const forget = ['-n', erlangName(plan.through), 'forget_cluster_node', erlangName(node)]
      await brokerCommand('rabbitmqctl', forget, /not_a_cluster_node|not a (cluster )?(node|member)/)
      await members.announce('forgotten')
      break
    }
  }
}

const setCluster = (value: ClusterDocument): Operation => ({
  verb: 'set',
  key: rabbitmqKeys.cluster.path,
  value,
})

/** What Consul holds about this machine's broker. Nothing of it is written without the lock. */
class Members {
  readonly #context: Context
  readonly #session: string

  constructor(context: Context, session: string) {
    this.#context = context
    this.#session = session
  }

  async write(operations: readonly Operation[]): Promise<void> {
    const { consul } = this.#context
    const lock: Operation = { verb: 'check-session', key: rabbitmqKeys.lock.path, session: this.#session }
    if (!(await consul.transaction([lock, ...operations])))
      throw new UnderstudyError(EXIT.retry, 'the lock of the brokers was lost meanwhile')
  }

  /** A new beginning has an incarnation of its own. @param also is written at the same moment. */
  async announce(state: NodeState, ...also: readonly Operation[]): Promise<void> {
    const incarnation =
      state === 'starting' ? randomBytes(8).toString('hex') : (await this.#own()).incarnation
    const { path: key } = rabbitmqKeys.node(this.#context.settings.node)
    await this.write([{ verb: 'set', key, value: { schema: 1, state, incarnation } }, ...also])
  }

  /** Marks the data as that of this beginning. */
  async mark(): Promise<void> {
    replaceFile(rabbitmqPaths.mark(this.#context.settings.node), `${(await this.#own()).incarnation}\n`)
  }

  async #own(): Promise<BrokerNode> {
    const { consul, settings } = this.#context
    const own = await consul.get(rabbitmqKeys.node(settings.node))
    if (own) return own.value
    throw new UnderstudyError(EXIT.data, `Consul's key rabbitmq/nodes/${settings.node} is missing`)
  }
}

/** Nothing is deleted: what was there once may be wanted. */
function putAside(node: string): void {
  const data = rabbitmqPaths.data(node)
  renameSync(data, `${data}.aside-${new Date().toISOString().replace(/[:.]/g, '-')}`)
  syncToDisk(dirname(data))
}

/** Gives the first broker what the others take over from it. */
async function found({ consul }: Context): Promise<void> {
  const [config, secrets] = await Promise.all([
    consul.get(consulKeys.config),
    consul.get(rabbitmqKeys.secrets),
  ])
  if (!config || !secrets) throw new UnderstudyError(EXIT.data, 'the secrets of the brokers are missing')
  // The metadata of RabbitMQ 3 is in Mnesia, which has nothing else.
  if (Number.parseInt(installedSeries(), 10) >= 4)
    await brokerCommand('rabbitmqctl', ['enable_feature_flag', '--opt-in', 'khepri_db'])
  const { user } = config.value
  const { password } = secrets.value
  const text = renderDefinitions({ vhost: VHOST, user, password, salt: randomBytes(4) })
  mkdirSync(dirname(rabbitmqPaths.definitions), { recursive: true })
  try {
    // Not in argv, where everybody could read them.
    replaceFile(rabbitmqPaths.definitions, text, { mode: 0o600 })
    await brokerCommand('rabbitmqctl', ['import_definitions', rabbitmqPaths.definitions])
  } finally {
    rmSync(rabbitmqPaths.definitions, { force: true })
  }
  await brokerCommand('rabbitmqctl', ['delete_user', FIRST_USER], /no_such_user|does not exist/)
}

/** A broker that does not run reads the names when it starts. */
async function ifRunning(args: readonly string[]): Promise<void> {
  await brokerCommand('rabbitmqctl', args, /nodedown|unable to (connect|perform)/)
}
