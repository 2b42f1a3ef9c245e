import type { Context } from '../consul/handler.ts'
import { recordHistory } from '../consul/history.ts'
import { consulKeys } from '../consul/manifest.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { stopHard, unit } from '../core/systemd.ts'
import { sinceBootMs } from '../core/uptime.ts'
import { postgresqlKeys, postgresqlUnits } from '../postgresql/manifest.ts'
import { virtualIpPaths } from '../virtual-ip/manifest.ts'
import { STOP_MS } from './apply.ts'
import type { GiveWayPlan } from './decide-give-way.ts'
import { type ServiceList, type ServiceMoves, servicesKeys, servicesPaths } from './manifest.ts'

/** How long a clean stop of the primary may take. It goes on after that, and a standby takes over all the same. */
const STOP_PRIMARY_MS = 30_000
/** How long the weight and PgBouncer may take to be looked after. */
const WITHDRAW_MS = 60_000

/**
 * Moves the active role. First it is written down, so that no two machines move it at once, and none before its time. The address of
 * the policy `fixed` moves by weight. A primary is stopped cleanly: that hands over to a standby which has everything. If none takes
 * over, the periodic check starts it again.
 */
export async function applyGiveWay(plan: GiveWayPlan, list: ServiceList, context: Context): Promise<void> {
  const { settings } = context
  if (plan.moves === undefined || !(await writeMoves(plan.moves, context))) return
  if (plan.do === 'note') return
  await recordHistory(context, 'gave_way', plan.why).catch(() => {})
  if (plan.do === 'yield') {
    replaceFile(virtualIpPaths.yields, `${plan.why}\n`)
    await unit('start', postgresqlUnits.withdraw, WITHDRAW_MS)
  }
  if (plan.do !== 'hand-over' || plan.to === undefined) return
  await prefer(plan.to, context)
  replaceFile(servicesPaths.handingOver, `${sinceBootMs()}\n`)
  const units = Object.values(list).flatMap(({ run, unit: name }) => (run === 'active' ? [name] : []))
  await Promise.all(units.map((name) => stopHard(name, STOP_MS)))
  await unit('stop', postgresqlUnits.server(settings.postgresqlVersion), STOP_PRIMARY_MS)
}

/** @returns false where another machine was quicker. */
async function writeMoves(moves: ServiceMoves, { consul }: Context): Promise<boolean> {
  const entry = await consul.get(servicesKeys.moves)
  const isNewer = (entry?.value.failedAt ?? '') > (moves.failedAt ?? '')
  return !isNewer && consul.compareAndSet(servicesKeys.moves, moves, entry)
}

/** Names the standby that is to be preferred. It stays a wish: who may be promoted, and how many it takes, is as before. */
async function prefer(to: string, { settings, consul }: Context): Promise<void> {
  const [leader, sync] = await Promise.all([consul.get(consulKeys.leader), consul.get(postgresqlKeys.sync)])
  if (!leader?.session || leader.value.node !== settings.node || sync?.value.node !== settings.node) return
  // A newer understudy may have written what this one does not understand.
  if (sync.newerSchema !== undefined) return
  await consul.transaction([
    { verb: 'check-session', key: consulKeys.leader.path, session: leader.session },
    {
      ...{ verb: 'cas', key: postgresqlKeys.sync.path },
      value: { ...sync.value, prefer: to },
      index: sync.modifyIndex,
    },
  ])
}
