import type { Context } from '../consul/handler.ts'
import { dueAtMs } from '../core/decide-backoff.ts'
import { isReplaced } from '../core/dpkg.ts'
import { explain } from '../core/errors.ts'
import { readFailure, recordFailure } from '../core/failure.ts'
import { UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { observeElsewhere } from './control-data.ts'
import { inspectData, isCrowded } from './data-directory.ts'
import type { RejoinFacts } from './decide-rejoin.ts'
import { FAILED_STARTS } from './decide-starts.ts'
import { postgresqlPaths } from './manifest.ts'
import { observeDamage, observePrimaryLacks } from './observe-damage.ts'
import { observeLineage, observeReplication } from './observe-follow.ts'

/** What this machine has, who the primary is, and how earlier attempts have failed. */
export async function observeRejoin(context: Context): Promise<RejoinFacts> {
  const { settings } = context
  const failure = readFailure(postgresqlPaths.rejoinFailed)
  const nowMs = Date.now()
  // systemd starts the unit every few seconds: nothing is asked while no attempt is due.
  if (failure && nowMs < dueAtMs(failure, nowMs)) return { ...NOT_ASKED, node: settings.node, failure, nowMs }
  try {
    return { ...(await observeMachine(context)), failure, nowMs }
  } catch (error) {
    recordFailure(postgresqlPaths.rejoinFailed, explain(error), nowMs)
    throw error
  }
}

const NOT_ASKED: Omit<RejoinFacts, 'node' | 'failure' | 'nowMs'> = {
  ...{ leadership: UNKNOWN, local: UNKNOWN, lineage: null, data: 'intact', standbySignal: false },
  ...{ elsewhere: null, replaced: false, damage: null, primaryLacks: null, crowded: false },
}

async function observeMachine(context: Context): Promise<Omit<RejoinFacts, 'failure' | 'nowMs'>> {
  const { settings } = context
  const seen = await observeReplication(context, 'postgres')
  const { node, leadership, local } = seen
  const [lineage, replaced, elsewhere] = await Promise.all([
    observeLineage(seen),
    isReplaced(`postgresql-${settings.postgresqlVersion}`),
    unknownOnFailure(observeElsewhere(settings.postgresqlVersion)),
  ])
  const found = inspectData(settings.postgresqlVersion, local)
  const stopped = found.standbySignal && local !== UNKNOWN && local.role === 'down'
  const damage = stopped ? await observeDamage(settings) : null
  const isQuestion = found.data === 'unwanted' || (damage !== null && damage.failed >= FAILED_STARTS)
  return {
    ...{ node, leadership, local, lineage, replaced, elsewhere, ...found, damage },
    primaryLacks: isQuestion ? await observePrimaryLacks(context, leadership) : null,
    crowded: isCrowded(settings.postgresqlVersion),
  }
}
