import type { Consul } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { inspectData } from './data-directory.ts'
import type { ClusterTraces, StartGateFacts } from './decide-start-gate.ts'
import { postgresqlKeys } from './manifest.ts'

/** What PostgreSQL would start as, and who is the primary. */
export async function observeStartGate(
  { settings, consul }: Context,
  _run: Run,
  starting: { version: number; cluster: string },
): Promise<StartGateFacts> {
  const { node, postgresqlVersion } = settings
  const ours = starting.version === postgresqlVersion && starting.cluster === 'main'
  if (!ours)
    return { ours, node, standbySignal: false, leadership: UNKNOWN, ownSessions: UNKNOWN, traces: null }
  const [leadership, sessions] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(readSessions(consul, node)),
  ])
  return {
    ours,
    node,
    standbySignal: inspectData(postgresqlVersion, { role: 'down' }).standbySignal,
    leadership,
    ownSessions: sessions === UNKNOWN ? UNKNOWN : sessions.own,
    traces:
      leadership !== UNKNOWN && leadership.primary === null ? await orUnknown(readTraces(consul)) : null,
  }
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
