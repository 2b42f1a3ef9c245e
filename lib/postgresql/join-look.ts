import { existsSync } from 'node:fs'
import { readCluster } from '../consul/join-cluster.ts'
import {
  type ClusterFacts,
  clusterOf,
  type Joining,
  type LocalPostgresql,
  postgresqlOf,
} from '../consul/joining.ts'
import type { Primary } from '../consul/manifest.ts'
import { followLinks, readText } from '../core/atomic-files.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import { run } from '../core/exec.ts'
import { checkPorts } from '../core/ports.ts'
import { checkReplaced } from '../core/replaced-files.ts'
import { unitStates } from '../core/systemd.ts'
import { UNKNOWN, type Unknown, unknownOnFailure } from '../core/unknown.ts'
import { type SystemUser, systemUser } from '../core/users.ts'
import { withDatabase } from './client.ts'
import { parametersIn, renderPostgresql } from './config.ts'
import { lookAtCopy } from './copy.ts'
import { remoteDatabase } from './database.ts'
import {
  checkClock,
  checkMain,
  checkOpening,
  checkRoles,
  chooseCluster,
  choosePort,
  type InstalledCluster,
  type MainFacts,
  type OpeningFacts,
  parseClusters,
  sayStandby,
} from './decide-join.ts'
import {
  listItems,
  mergeParameters,
  type Parameter,
  settingsToMerge,
  theirParameters,
} from './decide-parameters.ts'
import { memberParameters } from './decide-settings.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { readParameters } from './observe-settings.ts'
import { knownPasswords } from './passfile.ts'
import { lookAtPlace } from './place.ts'
import { isPristine, readOpening, readRoles, startServer, systemIdentifier } from './server.ts'

/** A primary that works answers this in milliseconds. */
const PRIMARY_MS = 5000

export const noPrimary = (): UnderstudyError =>
  new UnderstudyError(EXIT.unavailable, 'the cluster has no primary to copy; start it first')

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/** Chooses the PostgreSQL that joins. @throws one sentence where it cannot join, or must not be replaced. */
export async function lookAtPostgresql(joining: Joining): Promise<void> {
  const { cluster, machine } = joining
  const postgres = await systemUser('postgres')
  const clusters = parseClusters(await run('pg_lsclusters', ['--no-header']))
  const version = cluster?.config.postgresqlVersion ?? machine.settings?.postgresqlVersion ?? null
  const main = chooseCluster(clusters, version)
  if (cluster && !cluster.primary) throw noPrimary()
  if (machine.settings === null)
    await checkReplaced('repmgr-common', [{ path: postgresqlPaths.repmgrConfig }])
  const wanted = machine.settings?.postgresqlPort ?? cluster?.primary?.port ?? null
  const port = choosePort(main, clusters, wanted)
  const found = await lookAtMain(main)
  checkMain(found)
  // Those that are changed, and may be links.
  for (const file of ['serverConfig', 'hba', 'ident'] as const)
    followLinks(postgresqlPaths[file](main.version))
  checkPorts(postgresqlUnits.server(main.version), [{ port, address: null }])
  const primary = cluster?.primary ? await askPrimary(cluster, cluster.primary) : null
  if (primary) checkClock(Date.now(), primary.ms)
  const theirs = await lookInside(joining, found, postgres, primary?.id ?? null)
  const mode = joining.options.as === 'first' ? joining.options.durability : cluster?.config.durability
  const ours = parametersIn(renderPostgresql(port, main.version))
  const merging = primary ? [...theirs, ...primary.parameters] : await mergeOnFirst(joining, main, theirs)
  const parameters = mergeParameters(ours, merging, mode ?? 'quorum')
  checkLibraries(main.version, parameters.get('shared_preload_libraries') ?? '')
  joining.postgresql = { version: main.version, port, parameters }
  if (cluster?.primary)
    await lookAtCopy(machine.node, main.version, cluster.primary, cluster.credentials.monitor)
}

/** Where main lies on this machine, and who starts it. */
async function lookAtMain(main: InstalledCluster): Promise<MainFacts> {
  const place = postgresqlPaths.data(main.version)
  const service = postgresqlUnits.server(main.version)
  const start = (readText(postgresqlPaths.start(main.version)) ?? 'auto').replace(/#.*$/gm, '').trim()
  return {
    ...{ main, start, ...lookAtPlace(place) },
    unitState: (await unitStates([service])).get(service) ?? '',
  }
}

interface PrimaryFacts {
  ms: number
  id: string
  parameters: Parameter[]
}

async function askPrimary({ credentials }: ClusterFacts, primary: Primary): Promise<PrimaryFacts> {
  return withDatabase(
    remoteDatabase(primary.address, primary.port, credentials.monitor),
    PRIMARY_MS,
    async (connection) => {
      const [row] = await connection.query<{ ms: string; id: string }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms, (select system_identifier::text from pg_control_system()) as id',
      )
      if (!row)
        throw new UnderstudyError(
          EXIT.unavailable,
          `the primary ${primary.node} did not say what time it has`,
        )
      return { ms: Number(row.ms), id: row.id, parameters: await readParameters(connection) }
    },
  )
}

/** What is set on a member. It may be down, or wait for its primary: then it has what an earlier join has merged. */
async function setBefore(version: number, port: number, postgres: SystemUser): Promise<Parameter[]> {
  const theirs = await askOperators(version, port, postgres)
  return theirs === UNKNOWN ? keptIn(version) : theirs
}

async function askOperators(
  version: number,
  port: number,
  postgres: SystemUser,
): Promise<Parameter[] | Unknown> {
  const opening = await unknownOnFailure(readOpening(port, postgres))
  return opening === UNKNOWN ? UNKNOWN : theirsOf(version, opening)
}

/** What our own file has. */
const keptIn = (version: number): Parameter[] =>
  [...parametersIn(readText(postgresqlPaths.config(version)) ?? '')].map(([name, value]) => ({
    ...{ name, value, unit: null },
  }))

/**
 * The PostgreSQL of a member whose package was upgraded, with what is set there and what the installed package wants.
 * @throws where it lacks a library of the primary.
 */
export async function lookAgain(joining: Joining): Promise<LocalPostgresql> {
  const { version, port } = postgresqlOf(joining)
  const cluster = clusterOf(joining)
  const theirs = await askOperators(version, port, await systemUser('postgres'))
  const primary = await askOther(cluster, joining.machine.node)
  const merging = settingsToMerge({ kept: keptIn(version), theirs, primary })
  const ours = parametersIn(renderPostgresql(port, version))
  const parameters = mergeParameters(ours, merging, cluster.config.durability)
  // With a library that is not here PostgreSQL would not start again.
  checkLibraries(version, parameters.get('shared_preload_libraries') ?? '')
  return { version, port, parameters }
}

/**
 * What the machine that founded the cluster merges. Where it is the primary it is only what the operator has set there, so that it can
 * also be taken back; since a failover it may have settings from another primary.
 */
async function mergeOnFirst(
  { machine, consul }: Joining,
  { version }: InstalledCluster,
  theirs: readonly Parameter[],
): Promise<readonly Parameter[]> {
  if (machine.settings === null) return theirs
  const found = await unknownOnFailure(readCluster(consul))
  const cluster = found === UNKNOWN ? null : found
  if (cluster?.primary?.node === machine.node) return theirs
  const primary = cluster === null ? UNKNOWN : await askOther(cluster, machine.node)
  return settingsToMerge({ kept: keptIn(version), theirs, primary })
}

/** What is in effect on the primary, where that is another machine and answers. */
async function askOther(cluster: ClusterFacts, node: string): Promise<Parameter[] | Unknown> {
  if (cluster.primary === null || cluster.primary.node === node) return UNKNOWN
  const primary = await unknownOnFailure(askPrimary(cluster, cluster.primary))
  return primary === UNKNOWN ? UNKNOWN : primary.parameters
}

/**
 * Asks main itself, started for that, what is in it and what is set.
 * @param primaryId the system identifier of the primary; null on the first machine.
 * @returns what the operator has set.
 */
async function lookInside(
  { machine, cluster, options }: Joining,
  { main: { version, port }, kind }: MainFacts,
  postgres: SystemUser,
  primaryId: string | null,
): Promise<Parameter[]> {
  const data = postgresqlPaths.data(version)
  // Machines that were cloned from one template have one identifier: only a standby, or who has a seat already, has a copy.
  const isCopy =
    primaryId !== null &&
    (await systemIdentifier(version)) === primaryId &&
    (existsSync(`${data}/standby.signal`) ||
      cluster?.seats.seats[machine.node]?.machineId === machine.machineId)
  const isInterrupted = primaryId !== null && kind === 'missing'
  if (machine.settings !== null || isInterrupted) return setBefore(version, port, postgres)
  if (isCopy) {
    // It may be an operator's own standby. What names the standbys in a commit rule has come with the copy.
    const found = await unknownOnFailure(readOpening(port, postgres))
    if (found !== UNKNOWN)
      checkOpening({ ...found, standby: false, synchronous: '' }, version, memberParameters)
    return found === UNKNOWN ? keptIn(version) : theirsOf(version, found)
  }
  await startServer(version)
  const opening = await readOpening(port, postgres).catch((error: unknown) => {
    // With hot_standby off it lets nobody in.
    if (existsSync(`${data}/standby.signal`)) throw refuse(sayStandby(version))
    throw refuse(
      `PostgreSQL ${version}/main does not let the system user postgres in on port ${port}; begin ${postgresqlPaths.hba(version)} with the line "local all postgres peer" and reload PostgreSQL (${lastLine(explain(error))})`,
    )
  })
  checkOpening(opening, version, memberParameters)
  if (options.as === 'first') {
    const { user, database, moreDatabases } = options
    const password = options.password ?? knownPasswords(postgresqlPaths.appPassfile).get(user) ?? null
    const found = await readRoles(port, postgres, user, [database, ...moreDatabases])
    checkRoles({ user, password, ...found })
    // A role that is there keeps the password that an earlier join gave it.
    if (password !== null) options.password = password
  } else if (!(await isPristine(port, postgres)))
    throw refuse(
      `the PostgreSQL cluster in ${data} holds data, which joining would replace; save it and remove it first (pg_dropcluster --stop ${version} main; pg_createcluster ${version} main)`,
    )
  return theirsOf(version, opening)
}

const theirsOf = (version: number, { lines }: OpeningFacts): Parameter[] => [
  ...theirParameters(lines, postgresqlPaths.config(version)).values(),
]

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

/** @throws where this machine lacks a library that the members load at their start. */
function checkLibraries(version: number, list: string): void {
  const missing = listItems(list).filter(
    (name) =>
      !existsSync(postgresqlPaths.library(version, name.replace(/^\$libdir\//, '').replace(/\.so$/, ''))),
  )
  if (missing.length === 0) return
  throw refuse(
    `the primary loads ${missing.join(' and ')} (shared_preload_libraries), which this machine lacks; install the same packages as there`,
  )
}
