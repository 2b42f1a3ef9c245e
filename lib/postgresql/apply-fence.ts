import type { Context } from '../consul/handler.ts'
import { recordHistory } from '../consul/history.ts'
import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { queueUnit, stopHard } from '../core/systemd.ts'
import type { FencePlan } from './decide-fence.ts'
import { markFenced } from './fence-marker.ts'
import { postgresqlUnits } from './manifest.ts'

/**
 * Holds PgBouncer, gives up the virtual IP, stops PostgreSQL. It starts again by rejoin, when Consul says who leads.
 * PostgreSQL is stopped whatever fails before it: it alone can acknowledge a write.
 */
export async function applyFence(plan: FencePlan, context: Context): Promise<void> {
  if (plan.do !== 'fence') return
  const attempt = async (what: string, work: () => unknown): Promise<void> => {
    try {
      await work()
    } catch (error) {
      log('fence', { failed: what, error: explain(error) })
    }
  }
  await attempt('mark this machine as fenced', markFenced)
  await attempt(`start ${postgresqlUnits.withdraw}`, () => queueUnit('start', postgresqlUnits.withdraw))
  await stopHard(postgresqlUnits.server(context.settings.postgresqlVersion))
  await recordHistory(context, 'fenced', plan.why)
}
