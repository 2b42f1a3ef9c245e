import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import type { Consul } from '../consul/client.ts'
import { type Joining, settingsOf } from '../consul/joining.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { commandName, processIds } from '../core/processes.ts'
import { ensureRunning, reloadUnits, setEnabled, unit } from '../core/systemd.ts'
import { systemUser } from '../core/users.ts'
import { readData } from './broker.ts'
import { memoryFor, renderBroker, renderEnvironment, renderNames, renderPortMapper } from './config.ts'
import { type RabbitmqSecrets, rabbitmqKeys, rabbitmqPaths, rabbitmqUnits } from './manifest.ts'
import { addresses } from './observe.ts'
import type { BrokerReport } from './reconcile.ts'

/** The handler gives up after 280 s. */
const MEMBER_MS = 290_000

/** Configures the broker of this machine, which is then a member of the cluster of brokers. */
export async function setUpClustered(joining: Joining): Promise<void> {
  const { consul } = joining
  const { node, address } = settingsOf(joining)
  const secrets = await keepSecrets(consul)
  const owner = await systemUser('rabbitmq')
  const isMember = readData(node).state === 'marked'
  // Whatever it was started with, it is not a member yet.
  if (!isMember) await unit('stop', rabbitmqUnits.server)
  await configurePortMapper(address)
  const seats = (await consul.get(consulKeys.seats))?.value.seats ?? {}
  replaceFile(rabbitmqPaths.names, renderNames(addresses(seats)), owner)
  replaceFile(rabbitmqPaths.environment, renderEnvironment(node, address, rabbitmqPaths.names))
  // A member that has these settings keeps them: the password in it is of no use any more.
  if (!isMember) {
    const firstPassword = randomBytes(24).toString('base64url')
    const text = renderBroker({ memoryBytes: memoryFor(totalmem()), firstPassword })
    replaceFile(rabbitmqPaths.config, text, { uid: 0, gid: owner.gid, mode: 0o640 })
    replaceFile(rabbitmqPaths.cookie, secrets.cookie, { ...owner, mode: 0o400 })
  }
  replaceFile(rabbitmqPaths.password, `${secrets.password}\n`, { mode: 0o600 })
  await setEnabled([rabbitmqUnits.server], true)
  await unit('start', rabbitmqUnits.member, MEMBER_MS)
  // A cut may be so short that Consul has not noticed it, but the brokers have.
  await ensureRunning(rabbitmqUnits.timer, [])
  const state = (await consul.get(rabbitmqKeys.node(node)))?.value.state
  if (state === 'member') return
  const why = readNote<BrokerReport>(rabbitmqPaths.report)?.why ?? 'see journalctl -t understudy'
  throw new UnderstudyError(EXIT.retry, `the broker of this machine is not a member yet: ${why}`)
}

/** Made once for the cluster. */
async function keepSecrets(consul: Consul): Promise<RabbitmqSecrets> {
  const secret = (): string => randomBytes(32).toString('base64url')
  const made: RabbitmqSecrets = { schema: 1, cookie: secret(), password: secret() }
  await consul.compareAndSet(rabbitmqKeys.secrets, made, null)
  const kept = await consul.get(rabbitmqKeys.secrets)
  if (kept) return kept.value
  throw new UnderstudyError(EXIT.data, "Consul's key rabbitmq/secrets is missing")
}

/** Erlang's port mapper listens on all addresses, unless it is told otherwise before anybody uses it. */
async function configurePortMapper(address: string): Promise<void> {
  const { portMapper, portMapperSocket } = rabbitmqUnits
  mkdirSync(dirname(rabbitmqPaths.portMapper), { recursive: true })
  if (replaceFile(rabbitmqPaths.portMapper, renderPortMapper(address))) {
    await reloadUnits()
    await unit('stop', portMapperSocket)
    await unit('stop', portMapper)
    // Started by a broker or one of its commands, as the socket was not there.
    for (const pid of strayPortMappers()) process.kill(pid)
  }
  await setEnabled([portMapperSocket], true)
  await unit('start', portMapperSocket)
}

const strayPortMappers = (): number[] =>
  processIds()
    .filter((pid) => commandName(pid) === 'epmd')
    .map(Number)
