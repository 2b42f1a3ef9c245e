import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { recordHistory } from '../consul/history.ts'
import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { queueUnit, stopHard } from '../core/systemd.ts'
import type { FencePlan } from './decide-fence.ts'
import { markFenced } from './fence-marker.ts'
import { postgresqlUnits } from './manifest.ts'

/** How long systemd may take to queue the withdrawal before PostgreSQL is stopped; it takes some milliseconds. */
const WITHDRAW_MS = 1000

/**
 * Where there is no primary, only starts the withdrawal, which looks for itself. Else marks the machine as fenced, starts the
 * withdrawal (clients are held back, the virtual IP is given up) and stops PostgreSQL. `rejoin` starts it again once Consul says who
 * the primary is. PostgreSQL is stopped even if a step before it fails or hangs: only PostgreSQL can acknowledge a write.
 */
export async function applyFence(plan: FencePlan, context: Context): Promise<void> {
  if (plan.do === 'withdraw') return queueUnit('start', postgresqlUnits.withdraw)
  if (plan.do !== 'fence') return
  const attempt = async (what: string, work: () => unknown): Promise<void> => {
    try {
      await work()
    } catch (error) {
      log('fence', { failed: what, error: explain(error) })
    }
  }
  await attempt('mark this machine as fenced', markFenced)
  const withdrawn = attempt(`start ${postgresqlUnits.withdraw}`, () =>
    queueUnit('start', postgresqlUnits.withdraw),
  )
  await Promise.race([withdrawn, pause(WITHDRAW_MS, undefined, { ref: false })])
  await stopHard(postgresqlUnits.server(context.settings.postgresqlVersion))
  await recordHistory(context, 'fenced', plan.why)
}
