import type { Context } from '../consul/handler.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readSessions } from '../consul/session.ts'
import type { Run } from '../core/reconciler.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { inspectData } from './data-directory.ts'
import type { StartGateFacts } from './decide-start-gate.ts'

/** As what PostgreSQL would start, and who leads. */
export async function observeStartGate(
  { settings, consul }: Context,
  _run: Run,
  starting: { version: number; cluster: string },
): Promise<StartGateFacts> {
  const { node, postgresqlVersion } = settings
  const ours = starting.version === postgresqlVersion && starting.cluster === 'main'
  if (!ours) return { ours, node, standbySignal: false, leadership: UNKNOWN, ownSessions: UNKNOWN }
  const [leadership, sessions] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(readSessions(consul, node)),
  ])
  return {
    ours,
    node,
    standbySignal: inspectData(postgresqlVersion).standbySignal,
    leadership,
    ownSessions: sessions === UNKNOWN ? UNKNOWN : sessions.own,
  }
}
