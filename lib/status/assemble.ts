import type { Check } from '../consul/client.ts'
import type { Entry } from '../consul/entry.ts'
import { currentPrimary } from '../consul/leadership.ts'
import type { Config, Leader, NodeDocument, Primary } from '../consul/manifest.ts'
import type { Settings } from '../core/settings.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { FilesSeen } from '../files/decide-copy.ts'
import type { FilesReport } from '../files/report.ts'
import type { Pooler as PoolerAnswer } from '../pooler/console.ts'
import type { PostgresqlNode, Sync } from '../postgresql/manifest.ts'
import type { KeepalivedNode } from '../virtual-ip/manifest.ts'
import type { DatabaseAnswer } from './ask.ts'
import type { Gap, Machine, MachineFiles, Pooler, Postgresql, Report } from './facts.ts'
import { type Reading, valueFrom } from './reading.ts'

/** Everything Consul was asked. */
export interface ConsulReadings {
  /** Address and port of the leader. */
  leader: Reading<string | null>
  members: Reading<{ name: string; address: string; alive: boolean; server: boolean }[]>
  /** Names of the servers that count for a majority. */
  voters: Reading<string[]>
  config: Reading<Entry<Config> | null>
  nodes: Reading<Map<string, Entry<NodeDocument>>>
  databases: Reading<Map<string, Entry<PostgresqlNode>>>
  keepalived: Reading<Map<string, Entry<KeepalivedNode>>>
  lock: Reading<Entry<Leader> | null>
  published: Reading<Entry<Primary> | null>
  sync: Reading<Entry<Sync> | null>
  checks: Reading<Check[]>
}

/** What one machine was asked directly. */
export interface MachineReadings {
  postgresql: Reading<DatabaseAnswer>
  pgbouncer: Reading<PoolerAnswer | null>
}

/** A member and where its database is. */
export interface Seat {
  name: string
  address: string
  port: number
}

export interface Readings {
  at: string
  settings: Settings
  /** Whether the virtual IP is on an interface of this machine. */
  holdsVirtualIp: boolean
  consul: ConsulReadings
  seats: readonly Seat[]
  machines: ReadonlyMap<string, MachineReadings>
  /** The replicated files as this machine's Syncthing sees them; null where it has none. */
  files: Reading<FilesSeen | null>
  filesReport: FilesReport | null
}

/** Who is to be asked: the members, as far as Consul tells, and always this machine. Sorted by name. */
export function rollCall(settings: Settings, { nodes, members, databases }: ConsulReadings): Seat[] {
  const { node, address, postgresqlPort } = settings
  const addresses = new Map<string, string>([[node, address]])
  const joined = valueFrom(nodes)
  // Without the list of members Consul's own servers are the best guess.
  for (const member of joined ? [] : (valueFrom(members) ?? []))
    if (member.server) addresses.set(member.name, member.address)
  for (const [name, entry] of joined ?? []) addresses.set(name, entry.value.address)
  return [...addresses]
    .map(([name, at]) => ({
      name,
      address: at,
      port: valueFrom(databases)?.get(name)?.value.port ?? postgresqlPort,
    }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

/** Puts the answers together. What is missing becomes `unknown`, with the reason. */
export function assemble(given: Readings): Report {
  const answers = Object.values(given.consul).some((reading) => 'value' in reading)
  const readings = answers ? given : { ...given, consul: silenced(given) }
  const { settings, consul, seats } = readings
  const unknown: Gap[] = []
  const known = <T>(machine: string | null, what: string, reading: Reading<T>): T | Unknown => {
    if ('value' in reading) return reading.value
    unknown.push({ machine, what, why: reading.why })
    return UNKNOWN
  }

  const leaderAddress = known(null, 'Consul leader', consul.leader)
  const leader = nameOf(leaderAddress, seats, consul)
  const lock = known(null, 'lock', consul.lock)
  const published = known(null, 'published primary', consul.published)
  const sync = known(null, 'who may take over', consul.sync)
  const config = known(
    null,
    'settings of the cluster',
    orMissing(consul.config, 'the cluster has no configuration in Consul'),
  )
  const primary =
    lock === UNKNOWN || published === UNKNOWN
      ? UNKNOWN
      : (currentPrimary({ leader: lock, primary: published?.value ?? null })?.node ?? null)

  const position = primaryPosition(primary, readings)
  const nodes = known(null, 'list of members', consul.nodes)
  const voters = known(null, 'Consul votes', consul.voters)
  const files = known(settings.node, 'files', readings.files)
  const machines = seats.map(({ name, address }): Machine => {
    const here = name === settings.node
    const asked = readings.machines.get(name)
    const member = known(name, 'Consul', memberOf(name, consul))
    const alive = member !== UNKNOWN && member
    return {
      name,
      address,
      here,
      consul: member === UNKNOWN ? UNKNOWN : !alive ? 'failed' : leader === name ? 'leader' : 'alive',
      voter: voters === UNKNOWN ? UNKNOWN : voters.includes(name),
      virtualIp: known(name, 'virtual IP', virtualIpOf(name, readings)),
      postgresql: postgresqlOf(known(name, 'PostgreSQL', asked?.postgresql ?? NOT_ASKED), position, (why) =>
        unknown.push({ machine: name, what: 'lag', why }),
      ),
      pgbouncer: poolerOf(known(name, 'PgBouncer', asked?.pgbouncer ?? NOT_ASKED), seats),
      files: files === UNKNOWN ? UNKNOWN : files && filesOf(name, files, readings),
      checks: known(name, 'checks', checksOf(name, consul)),
    }
  })

  return {
    at: readings.at,
    observer: settings.node,
    consul: { answers, leader },
    virtualIp: (config === UNKNOWN ? settings : config).virtualIp.split('/')[0] ?? '',
    policy: config === UNKNOWN ? UNKNOWN : config.policy,
    durability: config === UNKNOWN ? UNKNOWN : config.durability,
    election: sync === UNKNOWN ? UNKNOWN : electionOf(sync),
    lock: lock === UNKNOWN ? UNKNOWN : lockOf(lock),
    published: published === UNKNOWN ? UNKNOWN : publishedOf(published),
    primary,
    folders: files === UNKNOWN ? UNKNOWN : files && foldersOf(files, readings.filesReport),
    joining: nodes === UNKNOWN ? [] : strangersTo(seats, consul),
    machines,
    unknown,
  }
}

/** One reason for everything, where this machine's Consul answered nothing at all. */
function silenced({ settings, consul }: Readings): ConsulReadings {
  const cause = 'why' in consul.members ? `: ${consul.members.why}` : ''
  const reading = { why: `Consul does not answer on ${settings.node}${cause}` }
  return {
    leader: reading,
    members: reading,
    voters: reading,
    config: reading,
    nodes: reading,
    databases: reading,
    keepalived: reading,
    lock: reading,
    published: reading,
    sync: reading,
    checks: reading,
  }
}

/** Living Consul servers without a seat. */
const strangersTo = (seats: readonly Seat[], { members }: ConsulReadings): string[] =>
  (valueFrom(members) ?? [])
    .filter(({ name, server, alive }) => server && alive && !seats.some((seat) => seat.name === name))
    .map(({ name }) => name)
    .sort()

const NOT_ASKED = { why: 'it was not asked' }

const orMissing = <T>(reading: Reading<{ value: T } | null>, why: string): Reading<T> =>
  'why' in reading ? reading : reading.value === null ? { why } : { value: reading.value.value }

/** Why news that only a leader can bring up to date cannot be trusted now, or null where it can. */
function outdated({ leader }: ConsulReadings): { why: string } | null {
  if ('why' in leader) return leader
  return leader.value === null ? { why: 'Consul has no leader, so what it holds may be old' } : null
}

/** The name of the machine at this address; the address itself where nobody has it. */
function nameOf(
  leader: string | null | Unknown,
  seats: readonly Seat[],
  { members }: ConsulReadings,
): string | null | Unknown {
  if (leader === null || leader === UNKNOWN) return leader
  const address = leader.replace(/:\d+$/, '')
  // A client that once ran at this address may be remembered beside the server.
  const servers = (valueFrom(members) ?? []).filter(({ server }) => server)
  const found = [...servers, ...seats].find((machine) => machine.address === address)
  return found?.name ?? address
}

/** Whether Consul's gossip reaches a machine. */
function memberOf(name: string, { members }: ConsulReadings): Reading<boolean> {
  if ('why' in members) return members
  return { value: members.value.some((member) => member.name === name && member.alive) }
}

const STATES = { MASTER: 'holder', BACKUP: 'backup', FAULT: 'fault', STOP: 'stopped' } as const

function virtualIpOf(
  name: string,
  { settings, holdsVirtualIp, consul }: Readings,
): Reading<Machine['virtualIp']> {
  const published = valueFrom(consul.keepalived)?.get(name)?.value.state
  if (name === settings.node) {
    if (holdsVirtualIp) return { value: 'holder' }
    return { value: published === undefined || published === 'MASTER' ? 'backup' : STATES[published] }
  }
  if ('why' in consul.keepalived) return consul.keepalived
  const alive = memberOf(name, consul)
  // What a machine published before it was cut off says nothing about now.
  if ('value' in alive && !alive.value)
    return { why: `Consul cannot reach ${name}, so what it published may be old` }
  const old = outdated(consul)
  if (old) return old
  return published === undefined
    ? { why: `${name} has published nothing of its keepalived yet` }
    : { value: STATES[published] }
}

/** Where the primary writes; where Consul does not name one, the only database that runs as one. */
function primaryPosition(primary: string | null | Unknown, { machines }: Readings): bigint | null {
  const running = [...machines].flatMap(([name, { postgresql }]) => {
    const answer = valueFrom(postgresql)
    return answer?.role === 'primary' ? [{ name, position: answer.position }] : []
  })
  const chosen =
    running.find(({ name }) => name === primary) ?? (running.length === 1 ? running[0] : undefined)
  return chosen?.position ?? null
}

function postgresqlOf(
  answer: DatabaseAnswer | Unknown,
  primary: bigint | null,
  onGap: (why: string) => void,
): Postgresql | Unknown {
  if (answer === UNKNOWN || answer.role === 'down') return answer
  const { timeline } = answer
  if (answer.role === 'primary') return { role: 'primary', timeline }
  const { streaming, upstream, position } = answer
  if (primary === null) onGap("the primary's position is not known")
  // Both were read at slightly different times: a standby that keeps up may look ahead.
  const lagBytes = primary === null ? UNKNOWN : Math.max(0, Number(primary - position))
  return { role: 'standby', timeline, streaming, upstream, lagBytes }
}

function poolerOf(answer: PoolerAnswer | null | Unknown, seats: readonly Seat[]): Pooler | null | Unknown {
  if (answer === null || answer === UNKNOWN) return answer
  const { host, port, paused } = answer
  const seat = seats.find((machine) => machine.address === host && machine.port === port)
  return { host, port, target: seat?.name ?? null, paused }
}

const foldersOf = ({ folders }: FilesSeen, report: FilesReport | null): Report['folders'] =>
  folders
    .map(({ label, path }) => ({ label, path, conflicts: report?.folders[label]?.conflicts ?? null }))
    .sort((a, b) => a.label.localeCompare(b.label, 'en'))

/** What a machine has of the folders. */
function filesOf(name: string, seen: FilesSeen, { settings }: Readings): MachineFiles | null {
  const connected = name === settings.node || seen.connected.get(name)
  if (connected === undefined) return null
  const folders = seen.folders
    .flatMap(({ label, here, others }) => {
      const copy = name === settings.node ? here : others.get(name)
      return copy ? [{ label, ...copy }] : []
    })
    .sort((a, b) => a.label.localeCompare(b.label, 'en'))
  return { connected, folders }
}

const OUTPUT_CHARACTERS = 200

function checksOf(name: string, consul: ConsulReadings): Reading<Exclude<Machine['checks'], Unknown>> {
  const { checks } = consul
  if ('why' in checks) return checks
  const alive = memberOf(name, consul)
  if ('value' in alive && !alive.value)
    return { why: `Consul cannot reach ${name}, so its checks may be old` }
  const old = outdated(consul)
  if (old) return old
  return {
    value: checks.value
      .filter(({ node }) => node === name)
      .map(({ checkId, status, output }) => ({
        id: checkId,
        status,
        output: (output.trim().split('\n')[0] ?? '').slice(0, OUTPUT_CHARACTERS),
      }))
      .sort((a, b) => a.id.localeCompare(b.id, 'en')),
  }
}

function lockOf(entry: Entry<Leader> | null): Report['lock'] {
  if (entry === null) return null
  const { node, since, why } = entry.value
  return { held: entry.session !== null, node, since, why, epoch: entry.lockIndex }
}

function publishedOf(entry: Entry<Primary> | null): Report['published'] {
  if (entry === null) return null
  const { node, address, port, timeline, epoch } = entry.value
  return { node, address, port, timeline, epoch }
}

function electionOf(entry: Entry<Sync> | null): Report['election'] {
  if (entry === null) return null
  const { node, voters, need } = entry.value
  return { node, voters, need }
}
