import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import * as v from 'valibot'
import type { JoinOptions } from '../consul/joining.ts'
import type { DurabilityMode, PlacementPolicy } from '../consul/manifest.ts'
import { parsePartMode } from '../consul/optional-part.ts'
import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'
import { isAddress, isHostAddress, parseCidr } from '../core/network.ts'
import { identifier } from '../core/schema.ts'
import { searchPlace } from '../search/options.ts'

const OPTIONS = {
  'virtual-ip': { type: 'string' },
  'consul-join': { type: 'string', multiple: true },
  network: { type: 'string' },
  'virtual-ip-command': { type: 'string' },
  interface: { type: 'string' },
  database: { type: 'string', multiple: true },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  policy: { type: 'string' },
  durability: { type: 'string' },
  'copy-rate': { type: 'string' },
  rabbitmq: { type: 'string' },
  search: { type: 'string' },
  'search-unit': { type: 'string' },
  'search-config': { type: 'string' },
  'merge-files': { type: 'boolean', default: false },
} as const

/** Settings of the cluster, which only the first machine is given. */
const CLUSTER_WIDE = [
  'virtual-ip',
  'network',
  'virtual-ip-command',
  'database',
  'user',
  'password-file',
  'policy',
  'durability',
  'rabbitmq',
  'search',
  'search-unit',
  'search-config',
] as const
const MODES: readonly string[] = ['quorum', 'strict', 'async'] satisfies DurabilityMode[]
const POLICIES: readonly string[] = ['with-primary', 'fixed'] satisfies PlacementPolicy[]
/** Names that PostgreSQL, repmgr or understudy uses. */
const RESERVED = [
  'postgres',
  'repmgr',
  'template0',
  'template1',
  'pgbouncer',
  'understudy_monitor',
  'understudy_pooler',
  'consul',
  'public',
  'none',
]

/** @throws a usage error: one sentence that says what is wrong and what to do. */
export function parseJoinOptions(argv: readonly string[]): JoinOptions {
  const { values } = parseArguments('understudy join', {
    ...{ args: [...argv], allowPositionals: false },
    options: OPTIONS,
  })
  // An address may have a label (eth0:1); its interface is eth0.
  const device = values.interface === undefined ? {} : { interface: values.interface.replace(/:.*/, '') }
  const copyRate = values['copy-rate'] === undefined ? {} : { copyRate: parseRate(values['copy-rate']) }
  if (values['consul-join'] !== undefined) {
    const extra = CLUSTER_WIDE.find((name) => values[name] !== undefined)
    if (extra)
      throw usageError(
        `--${extra} is a setting of the whole cluster, which a joining machine reads from it; leave it out`,
      )
    const mergeFiles = values['merge-files']
    return {
      as: 'joiner',
      consulJoin: parseAddresses(values['consul-join']),
      mergeFiles,
      ...device,
      ...copyRate,
    }
  }
  if (values['merge-files'])
    throw usageError(
      '--merge-files is for a machine that joins a cluster; the first machine shares its files anyway, so leave it out',
    )
  const { 'virtual-ip': place, network, user = 'app' } = values
  const [database = 'app', ...moreDatabases] = values.database ?? []
  const { policy = 'with-primary', durability = 'quorum' } = values
  if (place === undefined) {
    throw usageError(
      'give --virtual-ip ADDRESS/PREFIX to start a cluster, or --consul-join ADDRESS to join one',
    )
  }
  const virtualIp = place === 'none' ? null : place
  if (virtualIp !== null) checkVirtualIp(virtualIp)
  if (network !== undefined) checkNetwork(network)
  if (!isPolicy(policy)) throw usageError(`--policy takes ${POLICIES.join(' or ')}, not ${policy}`)
  if (!isMode(durability)) throw usageError(`--durability takes ${MODES.join(' or ')}, not ${durability}`)
  for (const one of [database, ...moreDatabases]) checkName('database', one)
  checkName('user', user)
  const rabbitmq = parsePartMode('rabbitmq', values.rabbitmq)
  const search = parsePartMode('search', values.search)
  const searched = searchPlace(values)
  if (search === undefined && Object.keys(searched).length > 0)
    throw usageError('--search-unit and --search-config are for --search local or clustered')
  if (virtualIp === null && policy === 'fixed')
    throw usageError('--policy fixed places the virtual IP; with --virtual-ip none leave it out')
  const command = values['virtual-ip-command']
  if (command !== undefined) checkCommand(command, policy)
  const file = values['password-file']
  const password = file === undefined ? {} : { password: readPassword(file) }
  const members = network === undefined ? {} : { network }
  const called = command === undefined ? {} : { virtualIpCommand: command }
  return {
    ...{ as: 'first', virtualIp, ...members, ...called, database, moreDatabases, user, ...password },
    ...{ policy, durability, ...device, ...copyRate, ...searched },
    ...(rabbitmq === undefined ? {} : { rabbitmq }),
    ...(search === undefined ? {} : { search }),
  }
}

/** The first line of a file, so that the password is in no argv. */
function readPassword(path: string): string {
  try {
    const [line = ''] = readFileSync(path, 'utf8').split('\n')
    if (line !== '') return line
  } catch (error) {
    throw usageError(`--password-file ${path} cannot be read: ${(error as Error).message}`)
  }
  throw usageError(`--password-file ${path} has no password in its first line`)
}

function parseAddresses(texts: readonly string[]): string[] {
  const addresses = texts.flatMap((text) => text.split(',')).map((text) => text.trim())
  const wrong = addresses.find((address) => !isAddress(address))
  if (wrong !== undefined) throw usageError(`--consul-join takes IPv4 addresses of members, not "${wrong}"`)
  return addresses
}

/** The limits of pg_basebackup. */
const RATE_KB = { least: 32, most: 1024 * 1024 } as const

function parseRate(text: string): string {
  const [, count, unit] = /^([1-9]\d{0,9})([kM])$/.exec(text) ?? []
  const kilobytes = Number(count) * (unit === 'M' ? 1024 : 1)
  if (kilobytes >= RATE_KB.least && kilobytes <= RATE_KB.most) return text
  throw usageError(
    `--copy-rate takes kilobytes or megabytes a second, from 32k to 1024M, such as 50M, not "${text}"`,
  )
}

function checkVirtualIp(text: string): void {
  const cidr = parseCidr(text)
  if (!cidr)
    throw usageError(
      `--virtual-ip takes an IPv4 address with its prefix length, such as 10.77.0.100/24, or none, not "${text}"`,
    )
  if (!isHostAddress(cidr))
    throw usageError(
      `--virtual-ip ${text} is the address of the network itself; choose one that a machine can have`,
    )
}

function checkNetwork(text: string): void {
  if (parseCidr(text)) return
  throw usageError(`--network takes the IPv4 network of the members, such as 10.77.0.0/24, not "${text}"`)
}

function checkCommand(text: string, policy: PlacementPolicy): void {
  if (!isAbsolute(text))
    throw usageError(
      `--virtual-ip-command takes the absolute path of a program, without arguments, not "${text}"`,
    )
  if (policy === 'fixed')
    throw usageError(
      '--virtual-ip-command is called when the primary changes; with --policy fixed leave it out',
    )
}

function checkName(option: string, name: string): void {
  if (!v.is(identifier, name)) {
    throw usageError(
      `--${option} takes a name of up to 63 letters, digits, _, . and - that begins with none of the last two, not "${name}"`,
    )
  }
  if (RESERVED.includes(name) || name.startsWith('pg_'))
    throw usageError(`--${option} does not take "${name}", because the name is reserved; choose another name`)
}

const isPolicy = (text: string): text is PlacementPolicy => POLICIES.includes(text)
const isMode = (text: string): text is DurabilityMode => MODES.includes(text)
