import * as v from 'valibot'
import definitions from '../../consul-config/search.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import type { OptionalPart } from '../consul/optional-part.ts'
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { etc } from '../core/paths.ts'
import { name } from '../core/schema.ts'

/** What the search servers of a cluster have in common. */
const cluster = v.object({
  schema: v.literal(1),
  kind: v.picklist(['opensearch', 'elasticsearch']),
  /** What the servers call their cluster. */
  clusterName: v.string(),
  /** The machine that founds it, and whose indices it begins with. */
  founder: name,
  /** What its cluster calls itself, once it is founded; null before. */
  uuid: v.nullable(v.string()),
})
export type SearchCluster = v.InferOutput<typeof cluster>
/** A server that is a member, or was one. */
const member = v.object({
  schema: v.literal(1),
  /** What it calls itself in the cluster, as long as it has its data: a machine that is gone is known by nothing else. */
  id: v.string(),
})

export type SearchKind = SearchCluster['kind']

export const searchKeys = {
  cluster: key('search/cluster', cluster),
  /** Machines whose server is a member, or was one. */
  nodes: key('search/nodes/', member),
  node: (nodeName: string) => key(`search/nodes/${nodeName}`, member),
} as const

export const searchPaths = {
  /** What this machine's server was last set up as. */
  configured: '/var/lib/understudy/search',
  /** The lines of ours that it was last started with. */
  started: '/var/lib/understudy/search.started',
  /** Where it answers. */
  server: `${etc}/search.env`,
  /** Whose certificate it shows. A copy: the directory of the server is closed. */
  authority: `${etc}/search-ca.pem`,
  /** USER:PASSWORD, written by the operator where the server wants one. */
  login: `${etc}/search.login`,
  /** The directories of the packages. */
  directory: (kind: SearchKind) => `/etc/${kind}`,
  /** How the last run of the handler ended. */
  report: '/run/understudy-search/report.json',
} as const

/** The settings of the server, in its directory. */
export const searchSettings = (directory: string, kind: SearchKind): string => `${directory}/${kind}.yml`

/** Where the other servers are, in the same directory. */
export const searchHosts = (directory: string): string => `${directory}/unicast_hosts.txt`

export const searchUnits = {
  /** That of a package. */
  server: (kind: SearchKind) => `${kind}.service`,
  members: 'understudy-search.service',
} as const

/** What the cluster asks for. */
export const searchPart: OptionalPart = { name: 'search', title: 'search', holds: 'indices' }

/** The search servers that the operator has installed, only in a cluster that asks for them. */
export const search: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'search',
  title: 'Elasticsearch or OpenSearch',
  keys: searchKeys,
  keysAbout: [
    {
      key: 'search/cluster',
      holds: 'founder, name and id of the cluster of search servers',
      writtenBy: '`understudy search enable`; join',
    },
    {
      key: 'search/nodes/NODE',
      holds: 'id of the search server of a machine that is a member, or was one',
      writtenBy: 'join',
    },
  ],
  paths: searchPaths,
  filesAbout: [
    { path: searchPaths.configured, holds: "what this machine's search server was last set up as" },
    { path: searchPaths.started, holds: 'the settings of ours that it was last started with' },
    { path: searchPaths.server, holds: 'where it answers' },
    { path: searchPaths.authority, holds: 'whose certificate it shows, where it has TLS' },
    { path: searchPaths.login, holds: 'USER:PASSWORD for it, written by the operator; root and consul only' },
    { path: '/etc/KIND/unicast_hosts.txt', holds: 'addresses of the other search servers, if clustered' },
    { path: searchPaths.report, holds: 'how the last run of `search-members` ended' },
  ],
  ports: [
    { port: '9200/tcp', what: 'search server', from: 'as the operator has it; by default loopback only' },
    { port: '9300/tcp', what: 'search servers among each other', from: "the members' network, if clustered" },
  ],
  handlers: [
    {
      name: 'search-members',
      user: 'root',
      calledBy: 'understudy-search.service',
      does: 'tells the search server where the others are, and excludes those of machines that have left',
    },
    {
      name: 'search-check',
      user: 'consul',
      calledBy: 'Consul, the check `search`, every 10 s',
      does: 'asks the search server of this machine for its health',
    },
  ],
  wanted: ({ search: mode }) => mode !== undefined,
  // The unit of the server is the operator's: its check says whether it answers.
  daemons: [],
  package: {
    suggests: [{ package: 'curl', program: '/usr/bin/curl' }],
    units: [searchUnits.members],
    scripts: ['search-check.sh'],
    polkit: [{ user: 'consul', verb: 'start', units: [searchUnits.members] }],
  },
  consul: (settings) => {
    const { services, watches } = definitionsOf(definitions, settings)
    return { services, watches: settings.search === 'clustered' ? watches : [] }
  },
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))
