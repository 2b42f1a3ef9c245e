import type { Consul } from '../consul/client.ts'
import { type Joining, settingsOf } from '../consul/joining.ts'
import { consulKeys } from '../consul/manifest.ts'
import { changeFile, readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { setEnabled, unit } from '../core/systemd.ts'
import { waitFor } from '../core/wait.ts'
import { writeHosts } from './apply.ts'
import { SearchServer } from './client.ts'
import { renderHosts, renderSettings, withOurs } from './config.ts'
import { clusterNameIn, decideSettings, foundingSetting } from './decide-settings.ts'
import { addressOf, dataOf, type InstalledServer } from './here.ts'
import { type SearchCluster, searchKeys, searchPaths } from './manifest.ts'
import { readConfigured } from './observe.ts'

/** The start of a server in Java, on a busy machine with two cores. */
const START_MS = 120_000
/** An election, or the others' answer. */
const MEMBER_MS = 90_000
/** What it takes the founder to found, after its own periodic check has noticed that it is to. */
const FOUNDED_MS = 60_000
/** From one question to the next: each starts curl. */
const ASK_AGAIN_MS = 1000

/**
 * Has the search server of this machine found the cluster of search servers, or join it. Whoever was ended in the middle of it does
 * it again.
 */
export async function setUpClustered(joining: Joining, server: InstalledServer): Promise<void> {
  const { consul } = joining
  const { node, address } = settingsOf(joining)
  const claimed = await claimCluster(consul, server, node)
  const isFounder = claimed.founder === node && claimed.uuid === null
  const cluster = isFounder ? claimed : await untilFounded(consul, claimed)
  const seats = (await consul.get(consulKeys.seats))?.value
  if (!seats) throw new UnderstudyError(EXIT.data, "Consul's key seats is missing")
  const before = readConfigured()
  // A server that has data has its cluster. What a run of ours has begun, the next one founds.
  const founds = isFounder && (before === 'founding' || (before === null && dataOf(server) === null))
  if (before === null) note(founds ? 'founding' : 'joining')
  const { kind, file, settings } = server
  const decided = decideSettings({ kind, file, settings, node, address, clusterName: cluster.clusterName })
  if ('why' in decided) throw new UnderstudyError(EXIT.config, decided.why)
  writeHosts(server, renderHosts(seats))
  const lasting = renderSettings(decided.add)
  writeSettings(server, founds ? lasting + renderSettings(foundingSetting(kind, node)) : lasting)
  await start(server, lasting)
  const running = new SearchServer(addressOf(server, address))
  const uuid = await untilMember(running, server, cluster.uuid)
  // From here on it would found another cluster if its data were lost.
  if (founds) writeSettings(server, lasting)
  if (isFounder) await recordFounded(consul, uuid)
  const id = await running.id()
  await consul.set(searchKeys.node(node), { schema: 1, id })
  // A machine of this name may have left once. What the operator keeps away from a member stays away.
  if (before !== 'clustered') await takeBack(running, node, id)
  note('clustered')
}

/** Claims the cluster for this machine, unless somebody has. */
export async function claimCluster(
  consul: Consul,
  { kind, settings }: InstalledServer,
  node: string,
): Promise<SearchCluster> {
  const clusterName = clusterNameIn(settings, kind)
  await consul.compareAndSet(
    searchKeys.cluster,
    { schema: 1, kind, clusterName, founder: node, uuid: null },
    null,
  )
  const entry = await consul.get(searchKeys.cluster)
  if (entry) return entry.value
  throw new UnderstudyError(EXIT.data, "Consul's key search/cluster is missing")
}

const untilFounded = (consul: Consul, { founder }: SearchCluster): Promise<SearchCluster> =>
  waitFor(
    `${founder} to found the cluster of search servers`,
    FOUNDED_MS,
    async () => {
      const found = (await consul.get(searchKeys.cluster))?.value
      return found && found.uuid !== null ? found : null
    },
    ASK_AGAIN_MS,
  )

async function recordFounded(consul: Consul, uuid: string): Promise<void> {
  const entry = await consul.get(searchKeys.cluster)
  if (entry?.value.uuid === uuid) return
  if (entry && (await consul.compareAndSet(searchKeys.cluster, { ...entry.value, uuid }, entry))) return
  throw new UnderstudyError(EXIT.retry, "Consul's key search/cluster was changed meanwhile")
}

const note = (state: string): boolean => replaceFile(searchPaths.configured, `${state}\n`)

/** The operator's lines stay as they are, and so do owner and mode. */
const writeSettings = ({ file }: InstalledServer, lines: string): boolean =>
  changeFile(file, (text) => withOurs(text, lines))

/** Starts it with our settings, unless it runs with them. */
async function start({ unit: name }: InstalledServer, lasting: string): Promise<void> {
  await setEnabled([name], true)
  const isStarted = readText(searchPaths.started) === lasting && readConfigured() === 'clustered'
  await unit(isStarted ? 'start' : 'restart', name, START_MS)
  replaceFile(searchPaths.started, lasting)
}

/** @returns what its cluster calls itself, once it has an elected master. */
function untilMember(
  running: SearchServer,
  { unit: name }: InstalledServer,
  wanted: string | null,
): Promise<string> {
  return waitFor(
    `${name} to become a member of the cluster of search servers (see journalctl -u ${name} and its log)`,
    MEMBER_MS,
    async () => {
      const uuid = await running.uuid()
      if (uuid === null) return null
      if (wanted !== null && uuid !== wanted)
        throw new UnderstudyError(EXIT.config, `it has a cluster of its own, ${uuid}, not ${wanted}`)
      await running.health()
      return uuid
    },
    ASK_AGAIN_MS,
  )
}

/** Gives a machine that had left its vote back, and lets it have indices again. */
async function takeBack(running: SearchServer, node: string, id: string): Promise<void> {
  const shards = await running.withoutShards()
  if (shards.includes(node)) await running.excludeFromShards(shards.filter((name) => name !== node))
  const votes = await running.withoutVote()
  if (!votes.includes(id)) return
  // There is no other way to take one of them back.
  await running.voteAgain()
  const others = votes.filter((one) => one !== id)
  if (others.length > 0) await running.excludeFromVote(others)
}
