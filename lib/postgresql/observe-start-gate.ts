import type { Consul } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown, UNKNOWN, type Unknown, unknownOnFailure } from '../core/unknown.ts'
import { isCompared } from './compared.ts'
import { observeElsewhere } from './control-data.ts'
import { inspectData } from './data-directory.ts'
import { remoteDatabase } from './database.ts'
import { positionOf } from './decide-confirmed.ts'
import type { Position } from './decide-lineage.ts'
import {
  type ClusterTraces,
  mayHaveConfirmed,
  newestOf,
  type StartEvidence,
  type StartGateFacts,
} from './decide-start-gate.ts'
import { startDueAtMs } from './decide-starts.ts'
import type { DatabaseAnswer } from './decide-status.ts'
import { postgresqlKeys } from './manifest.ts'
import { readMembers } from './observe-failover.ts'
import { askPostgresql, useMonitorPassword } from './observe-status.ts'
import { observeStarts } from './starts.ts'

/** How long the database of another member may take to say what it has: it may be busy with its own start. */
const MEMBER_MS = 1000

/** What PostgreSQL would start as, and who is the primary. */
export async function observeStartGate(
  context: Context,
  { elapsedMs }: Run,
  starting: { version: number; cluster: string },
): Promise<StartGateFacts> {
  const { settings, consul } = context
  const { node, postgresqlVersion } = settings
  const ours = starting.version === postgresqlVersion && starting.cluster === 'main'
  const waitedMs = elapsedMs
  if (!ours) {
    const notAsked = {
      elsewhere: null,
      starts: null,
      leadership: UNKNOWN,
      ownSessions: UNKNOWN,
      traces: null,
      compared: false,
      evidence: null,
    } as const
    return { ours, node, standbySignal: false, ...notAsked, waitedMs }
  }
  const [leadership, sessions, elsewhere] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(readSessions(consul, node)),
    unknownOnFailure(observeElsewhere(postgresqlVersion)),
  ])
  const { standbySignal } = inspectData(postgresqlVersion, { role: 'down' })
  const compared = isCompared()
  const primary = leadership === UNKNOWN ? null : leadership.primary
  const holder = leadership === UNKNOWN ? null : (leadership.leader?.session ?? null)
  const holds = holder !== null && sessions !== UNKNOWN && sessions.own.includes(holder)
  const isQuestion = !standbySignal && primary?.node === node && (holder === null || (holds && !compared))
  return {
    ours,
    node,
    elsewhere,
    standbySignal,
    starts: standbySignal ? await unknownOnFailure(readOwnStarts(postgresqlVersion)) : null,
    leadership,
    ownSessions: sessions === UNKNOWN ? UNKNOWN : sessions.own,
    traces:
      leadership !== UNKNOWN && leadership.primary === null ? await orUnknown(readTraces(consul)) : null,
    compared,
    evidence: isQuestion ? await orUnknown(readEvidence(context, primary.timeline)) : null,
    waitedMs,
  }
}

async function readOwnStarts(version: number) {
  const nowMs = Date.now()
  const { failed, last, position } = await observeStarts(version, nowMs)
  return { failed, position, dueInMs: startDueAtMs(failed, last, nowMs) - nowMs }
}

/** What was confirmed, by Consul and by the other members, and how far this machine's own data goes. */
async function readEvidence(context: Context, published: number): Promise<StartEvidence> {
  const { settings, consul } = context
  useMonitorPassword()
  const [config, confirmed, sync, members] = await Promise.all([
    consul.get(consulKeys.config),
    consul.get(postgresqlKeys.confirmed),
    consul.get(postgresqlKeys.sync),
    readMembers(context),
  ])
  const mode = config?.value.durability
  const voters = sync?.value.voters ?? []
  const others = members.filter(({ node }) => node !== settings.node)
  const answers = await Promise.all(
    others.map(
      async ({ node, address, port }): Promise<{ node: string; database: DatabaseAnswer | Unknown }> => ({
        node,
        database:
          address === null
            ? UNKNOWN
            : await unknownOnFailure(askPostgresql(remoteDatabase(address, port), MEMBER_MS)),
      }),
    ),
  )
  const found = [
    { who: 'the published primary', timeline: published, lsn: 0n },
    ...(confirmed === null ? [] : [{ who: 'Consul', ...positionOf(confirmed.value) }]),
    ...answers.flatMap(({ node, database }) =>
      database !== UNKNOWN &&
      database.role === 'standby' &&
      mayHaveConfirmed({ node, timeline: database.timeline }, published, mode, voters)
        ? [{ who: node, timeline: database.timeline, lsn: database.position }]
        : [],
    ),
  ]
  const silent = answers.flatMap(({ node, database }) =>
    database === UNKNOWN || database.role === 'down' ? [node] : [],
  )
  return { own: await readOwn(settings.postgresqlVersion, newestOf(found)), found, silent }
}

/** Where the data ends, or the position wanted if it goes that far. Of a stopped database, so that it stays as it is. */
async function readOwn(version: number, wanted: Position | null): Promise<Position | Unknown> {
  // Only here: a restart in place must not wait for what it does not need.
  const { endOfWal, readOwnWal } = await import('./observe-own-wal.ts')
  const own = await readOwnWal(version)
  if (wanted === null || wanted.timeline !== own.timeline) return { timeline: own.timeline, lsn: own.least }
  return unknownOnFailure(endOfWal(version, own, wanted.lsn))
}

async function readTraces(consul: Consul): Promise<ClusterTraces> {
  const [config, nodes, databases, sync] = await Promise.all([
    consul.get(consulKeys.config),
    consul.names(consulKeys.nodes),
    consul.names(postgresqlKeys.nodes),
    consul.get(postgresqlKeys.sync),
  ])
  return { config: config !== null, members: [...nodes, ...databases], sync: sync !== null }
}
