import type { Context } from '../consul/handler.ts'
import { readFailure } from '../core/failure.ts'
import { inspectData } from './data-directory.ts'
import type { RejoinFacts } from './decide-rejoin.ts'
import { postgresqlPaths } from './manifest.ts'
import { observeLineage, observeReplication } from './observe-follow.ts'

/** What this machine has, who the primary is, and how earlier attempts have failed. */
export async function observeRejoin(context: Context): Promise<RejoinFacts> {
  const { settings } = context
  const failure = readFailure(postgresqlPaths.rejoinFailed)
  const seen = await observeReplication(context, 'postgres')
  const { node, leadership, local } = seen
  const lineage = await observeLineage(seen)
  return {
    node,
    leadership,
    local,
    lineage,
    ...inspectData(settings.postgresqlVersion),
    failure,
    nowMs: Date.now(),
  }
}
