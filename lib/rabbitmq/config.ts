import { createHash } from 'node:crypto'
import type { BrokerView } from './decide-repair.ts'

/** What a file of ours begins with. */
const OURS = 'Written by understudy; changes are lost.'

/** An address as Erlang writes it: {10,77,0,11}. */
const inErlang = (address: string): string => `{${address.replaceAll('.', ',')}}`

/** A host of Erlang's resolver as an expression that adds it to a running broker. */
export const addHost = (name: string, address: string): string =>
  `inet_db:add_host(${inErlang(address)}, ["${name}"]).`

/** Names for Erlang, see https://www.erlang.org/doc/apps/erts/inet_cfg.html: nothing else has to resolve them. */
export const renderNames = (names: ReadonlyMap<string, string>): string =>
  [
    `%% ${OURS}`,
    ...[...names].sort().map(([name, address]) => `{host,${inErlang(address)},["${name}"]}.`),
    '{lookup,[file,native]}.',
    '',
  ].join('\n')

/** The names in such a file. */
export const knownNames = (text: string): Map<string, string> =>
  new Map(
    [...text.matchAll(/^\{host,\{([\d,]+)\},\["([^"]+)"\]\}\.$/gm)].map(([, address = '', name = '']) => [
      name,
      address.replaceAll(',', '.'),
    ]),
  )

/** What the broker and its commands are started with; sh(1) reads it. Names do not depend on how the host is called. */
export const renderEnvironment = (node: string, address: string, namesFile: string): string => `# ${OURS}
export ERL_INETRC=${namesFile}
NODENAME=rabbit@${node}
SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface ${inErlang(address)}"
`

export interface BrokerSettings {
  /** Publishers are held back from here on, in bytes. */
  memoryBytes: number
  /** Of a user that exists only until the broker is a member: nobody knows it. */
  firstPassword: string
}

/** That user. */
export const FIRST_USER = 'understudy-first'
/** Publishers are held back where the disk has less room than a busy database may need in a minute. */
const LEAST_FREE_DISK = '1GB'

/** Settings of a clustered broker, see https://www.rabbitmq.com/docs/configure. */
export const renderBroker = ({ memoryBytes, firstPassword }: BrokerSettings): string => `# ${OURS}
listeners.tcp.local = 127.0.0.1:5672
# Silence counts as death after this many seconds; the default is 60.
net_ticktime = 8
# Only where Mnesia keeps the metadata (Debian 12).
cluster_partition_handling = pause_minority
vm_memory_high_watermark.absolute = ${memoryBytes}
disk_free_limit.absolute = ${LEAST_FREE_DISK}
# In place of guest, and gone when the broker has joined.
default_user = ${FIRST_USER}
default_pass = ${firstPassword}
`

/** The broker's share of a machine that has a database, too: a quarter, from 256 MiB to 4 GiB. */
export const memoryFor = (totalBytes: number): number =>
  Math.min(Math.max(Math.floor(totalBytes / 4), 256 * 1024 ** 2), 4 * 1024 ** 3)

/** Drop-in for epmd.socket: Erlang's port mapper answers the members and this machine, and nobody else. */
export const renderPortMapper = (address: string): string => `# ${OURS}
[Socket]
ListenStream=
ListenStream=127.0.0.1:4369
ListenStream=${address}:4369
# The address may come later than the socket.
FreeBind=true
`

/** What the first broker is given and the others take over, see https://www.rabbitmq.com/docs/definitions. */
export function renderDefinitions({
  vhost,
  user,
  password,
  salt,
}: {
  vhost: string
  user: string
  password: string
  /** Four bytes. */
  salt: Buffer
}): string {
  const hash = createHash('sha256').update(salt).update(password).digest()
  return JSON.stringify({
    vhosts: [{ name: vhost, metadata: { description: '', tags: [], default_queue_type: 'quorum' } }],
    users: [
      {
        name: user,
        password_hash: Buffer.concat([salt, hash]).toString('base64'),
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: [],
      },
    ],
    permissions: [{ user, vhost, configure: '.*', write: '.*', read: '.*' }],
  })
}

/** The setting of a file that is not ours and says something, in a line of its own; null where there is none. */
export const ownSetting = (text: string): string | null =>
  text.includes(OURS) ? null : (text.split('\n').find((line) => /^\s*[^\s#%]/.test(line)) ?? null)

/** What `rabbitmqctl cluster_status --formatter json` says, as seen from the broker of `node`; names without `rabbit@`. */
export function viewIn(text: string, node: string): BrokerView {
  const said = JSON.parse(text) as { running_nodes: string[]; partitions?: Record<string, string[]> }
  const machine = (name: string): string => name.replace(/^rabbit@/, '')
  // By who says so; what another broker says of this one counts as well.
  const pairs = Object.entries(said.partitions ?? {}).flatMap(([from, others]) =>
    others.map((other) => [machine(from), machine(other)] as const),
  )
  const apart = pairs.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : []))
  return { running: said.running_nodes.map(machine), partitionedFrom: [...new Set(apart)] }
}

/** The other brokers of its cluster, running or not, of which `rabbitmqctl cluster_status --formatter json` tells the broker of `node`. */
export function othersIn(text: string, node: string): string[] {
  const said = JSON.parse(text) as { disk_nodes: string[]; ram_nodes: string[] }
  return [...said.disk_nodes, ...said.ram_nodes].filter((name) => name !== `rabbit@${node}`)
}
