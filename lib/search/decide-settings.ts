import type { Setting } from './decide-yaml.ts'
import type { SearchKind } from './manifest.ts'

type ServerSettings = ReadonlyMap<string, Setting>

export interface SettingsFacts {
  kind: SearchKind
  /** The file of the operator's settings, as a person finds it. */
  file: string
  /** The operator's settings, without ours. */
  settings: ServerSettings
  /** The name of this member, and its address. */
  node: string
  address: string
  /** What the servers call their cluster; null: what this one calls it. */
  clusterName: string | null
}

/** Would let a server elect itself: on a machine that is to join, it would found a second cluster. */
const INITIAL = ['cluster.initial_master_nodes', 'cluster.initial_cluster_manager_nodes'] as const

/** What a server calls its cluster unless it is told otherwise. */
export const clusterNameIn = (settings: ServerSettings, kind: SearchKind): string =>
  asText(settings.get('cluster.name')) ?? kind

/**
 * The settings that a clustered server needs beside those of the operator. Nothing of theirs is changed: where one of them says
 * otherwise, it is for them to take it out.
 * @returns why it cannot be, in one sentence, or the settings to add.
 */
export function decideSettings(facts: SettingsFacts): { why: string } | { add: ServerSettings } {
  const { kind, file, settings, node, clusterName } = facts
  const conflict = (name: string, reason: string) => ({
    why: `${file} sets ${name} to ${shown(settings.get(name))}, ${reason}`,
  })
  const initial = INITIAL.find((name) => settings.has(name))
  if (initial !== undefined)
    return conflict(
      initial,
      'which belongs to the first start of a cluster and would found a second one later; take it out: understudy sets it for that start only',
    )
  if (settings.has('discovery.type'))
    return conflict('discovery.type', 'and a clustered server finds the others; take it out')
  const add = new Map<string, Setting>()
  const wanted: readonly (readonly [name: string, value: Setting, reason: string])[] = [
    [
      'cluster.name',
      clusterName ?? clusterNameIn(settings, kind),
      `but the servers of this cluster call it ${clusterName}; take it out`,
    ],
    ['node.name', node, `but the server of this machine has to be called ${node}; take it out`],
    [
      'discovery.seed_providers',
      'file',
      'but a clustered server takes the addresses of the others from unicast_hosts.txt; take it out',
    ],
    ['discovery.seed_hosts', [], 'but understudy tells a clustered server where the others are; take it out'],
  ]
  for (const [name, value, reason] of wanted) {
    const said = settings.get(name)
    if (said === undefined) add.set(name, value)
    else if (!isSame(said, value) && !(name === 'node.name' && said === HOST_NAME))
      return conflict(name, reason)
  }
  const place = decideTransport(facts)
  if ('why' in place) return place
  for (const [name, value] of place.add) add.set(name, value)
  return { add }
}

/** What Elasticsearch's documents suggest for node.name: the name of the machine, which is that of the member. */
const HOST_NAME = `\${HOSTNAME}`

/** Where the servers talk to each other; their clients stay where the operator has them. */
function decideTransport({
  file,
  settings,
  address,
}: SettingsFacts): { why: string } | { add: ServerSettings } {
  const names = ['transport.host', 'transport.bind_host', 'transport.publish_host', 'network.publish_host']
  const other = names.find((name) => {
    const hosts = asList(settings.get(name) ?? address)
    return !hosts.includes(address) && !(name === 'transport.bind_host' && hosts.some(isEverywhere))
  })
  if (other !== undefined)
    return {
      why: `${file} sets ${other} to ${shown(settings.get(other))}, but the other members know this machine by ${address}; take it out, or set it to that address`,
    }
  const add = (name: string) => ({ add: settings.has(name) ? new Map() : new Map([[name, address]]) })
  if (settings.has('transport.host')) return { add: new Map() }
  if (settings.has('transport.bind_host')) return add('transport.publish_host')
  const network = asList(settings.get('network.host') ?? settings.get('network.bind_host') ?? [])
  if (network.every(isLoopback)) return add('transport.host')
  if (network.some((host) => host === address || isEverywhere(host) || host.startsWith('_')))
    return add('transport.publish_host')
  return {
    why: `${file} sets network.host to ${shown(network)}, but the other members know this machine by ${address}; add that address, or set transport.host to it`,
  }
}

const isLoopback = (host: string): boolean =>
  /^(127\.[\d.]+|localhost|::1|_local_|_local:ipv[46]_)$/.test(host)
const isEverywhere = (host: string): boolean => ['0', '0.0.0.0', '::'].includes(host)

/** The setting with which a cluster is founded. */
export const foundingSetting = (kind: SearchKind, node: string): ServerSettings =>
  new Map([[kind === 'opensearch' ? INITIAL[1] : INITIAL[0], [node]]])

/** Where a server listens for its clients, as somebody on the same machine reaches it, and its port. */
export function clientsAt(settings: ServerSettings, address: string): { url: string; port: number } {
  const said = ['http.host', 'http.bind_host', 'network.host', 'network.bind_host']
    .map((name) => settings.get(name))
    .find((value) => value !== undefined)
  const hosts = asList(said ?? [])
  const here = hosts.length === 0 || hosts.some((host) => isLoopback(host) || isEverywhere(host))
  const host = here ? 'localhost' : (hosts.find((one) => /^[\d.]+$/.test(one)) ?? address)
  const port = firstPort(settings.get('http.port'), 9200)
  return { url: `http${hasTls(settings) ? 's' : ''}://${host}:${port}`, port }
}

/** The port on which the servers talk to each other. */
export const transportPort = (settings: ServerSettings): number =>
  firstPort(settings.get('transport.port') ?? settings.get('transport.tcp.port'), 9300)

/** Of 9200-9300 the first: the others are for more servers on one machine. */
const firstPort = (said: Setting | undefined, otherwise: number): number =>
  Number(/^\d+/.exec(asText(said) ?? '')?.[0] ?? otherwise)

/** Do its clients speak TLS with it? The settings of Elasticsearch's and of OpenSearch's security. */
export const hasTls = (settings: ServerSettings): boolean =>
  ['xpack.security.http.ssl.enabled', 'plugins.security.ssl.http.enabled'].some(
    (name) => asText(settings.get(name)) === 'true',
  )

/** Files that may say whose certificate it shows, in the order in which they are looked for. */
export const authorities = (settings: ServerSettings, directory: string): string[] => {
  const said = [
    'xpack.security.http.ssl.certificate_authorities',
    'plugins.security.ssl.http.pemtrustedcas_filepath',
  ].flatMap((name) => asList(settings.get(name) ?? []))
  // What Elasticsearch 8 makes when its package is installed.
  return [...said, 'certs/http_ca.crt'].map((file) => (file.startsWith('/') ? file : `${directory}/${file}`))
}

/** The directories of its data. */
export const dataDirectories = (settings: ServerSettings): readonly string[] =>
  asList(settings.get('path.data') ?? [])

const asText = (said: Setting | undefined): string | undefined =>
  typeof said === 'string' ? said : said?.[0]

/** A list may be written with commas, too. */
const asList = (said: Setting): readonly string[] =>
  typeof said === 'string'
    ? said
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '')
    : said

const isSame = (a: Setting, b: Setting): boolean => JSON.stringify(asList(a)) === JSON.stringify(asList(b))

const shown = (said: Setting | undefined): string =>
  said === undefined ? 'nothing' : typeof said === 'string' ? said : JSON.stringify(said)
