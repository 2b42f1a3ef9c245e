import type { Consul } from '../consul/client.ts'
import { clusterOf, type Joining, type Part, settingsOf } from '../consul/joining.ts'
import type { Config } from '../consul/schemas.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { missingPackages, refuseMissing } from '../core/packages.ts'
import { checkPorts } from '../core/ports.ts'
import { ensureRunning } from '../core/systemd.ts'
import { systemGroup } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import { keepAddress } from './apply.ts'
import { SearchServer } from './client.ts'
import { hasOwnHosts } from './config.ts'
import { whyNoMember } from './decide-look.ts'
import { clientsAt, decideSettings, transportPort } from './decide-settings.ts'
import { addressOf, checkLogin, dataOf, type InstalledServer, readServer } from './here.ts'
import { setUpClustered } from './join-clustered.ts'
import { type SearchCluster, search, searchHosts, searchKeys, searchPaths } from './manifest.ts'
import { readConfigured } from './observe.ts'

/** The first start of a server in Java, on a busy machine with two cores. */
const START_MS = 120_000

const setUp = { phase: 'daemons', title: 'set up the search server', run: setUpSearch } as const

/** The search server's part of a join. */
export const part: Part = {
  async look({ options, cluster, consul, machine, placement }) {
    const named = options.as === 'first' ? options : (cluster?.config ?? {})
    // The first machine of a new cluster has no Consul to ask.
    const isNew = options.as === 'first' && machine.settings === null
    await refuseSearch(named, { node: machine.node, address: placement.address }, isNew ? null : consul)
  },
  steps: [setUp],
  upgrade: [setUp],
  checks: ['search'],
  leave: [],
}

type SearchSettings = Partial<Pick<Config, 'search' | 'searchUnit' | 'searchConfig'>>

/**
 * @param named what the search servers are to be, and where they are. @param consul of the cluster; null where there is none yet.
 * @returns the server of this machine. @throws one sentence where it cannot be such a one.
 */
export async function refuseSearch(
  named: SearchSettings,
  { node, address }: { node: string; address: string },
  consul: Consul | null,
): Promise<InstalledServer> {
  refuseMissing(missingPackages(search.package.suggests ?? []))
  const server = await readServer(named)
  const clustered = named.search === 'clustered'
  checkPorts(server.unit, [
    { port: clientsAt(server.settings, address).port, address: null },
    ...(clustered ? [{ port: transportPort(server.settings), address: null }] : []),
  ])
  checkLogin(await systemGroup('consul'))
  addressOf(server, address)
  if (!clustered) return server
  const cluster = (await consul?.get(searchKeys.cluster))?.value ?? null
  const why = await whyNot(server, node, address, cluster)
  if (why !== null) throw new UnderstudyError(EXIT.config, why)
  return server
}

async function whyNot(
  server: InstalledServer,
  node: string,
  address: string,
  cluster: SearchCluster | null,
): Promise<string | null> {
  const { kind, file, settings } = server
  const data = dataOf(server)
  const facts = { kind, file, settings, node, address, clusterName: cluster?.clusterName ?? null }
  const added = decideSettings(facts)
  if ('why' in added) return added.why
  const here = {
    ...{ node, kind, data, note: readConfigured() },
    ownHosts: hasOwnHosts(readText(searchHosts(server.directory)) ?? ''),
    holds: data === null ? null : await contents(new SearchServer(addressOf(server, address))),
  }
  return whyNoMember(here, cluster)
}

/** What the running server has; null where it does not answer. */
async function contents(server: SearchServer): Promise<{ uuid: string; indices: string[] } | null> {
  try {
    const [uuid, indices] = await Promise.all([server.uuid(), server.indices()])
    return { uuid: uuid ?? '', indices }
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.unavailable) return null
    throw error
  }
}

async function setUpSearch(joining: Joining): Promise<void> {
  const { config } = clusterOf(joining)
  const settings = settingsOf(joining)
  // On a member that was not asked: the cluster got its search servers elsewhere.
  const server = await refuseSearch(config, settings, joining.consul)
  keepAddress(server, settings)
  if (config.search === 'clustered') return setUpClustered(joining, server)
  // A server that is not replicated stays as the operator has configured it: it only has to run.
  await ensureRunning(server.unit, [], 'restart', START_MS)
  const running = new SearchServer(addressOf(server, settings.address))
  await waitFor(`${server.unit} to answer`, START_MS, () => running.uuid().then(() => true), 1000)
  replaceFile(searchPaths.configured, `${config.search}\n`)
}
