import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { dropStartSessions, startSession } from '../consul/session.ts'
import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { queueUnit } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { markCompared } from './compared.ts'
import { markStale, unmarkStale } from './data-directory.ts'
import { sayShortages } from './decide-hot-standby.ts'
import type { StartGatePlan } from './decide-start-gate.ts'
import { unmarkFenced } from './fence-marker.ts'
import { postgresqlUnits } from './manifest.ts'
import { recordStart } from './starts.ts'

/** How long a refused start waits for rejoin, which stops it: systemd would repeat it at once. */
const REFUSED_MS = 4000
/** How long a start waits for another session: Consul makes none while this machine's own health is critical. */
const SESSION_AGAIN_MS = 500

/**
 * Takes the lock for a primary that is about to start; sends a machine that must not start as one to rejoin; lets the virtual IP go
 * where Consul does not answer.
 */
export async function applyStartGate(plan: StartGatePlan, { settings, consul }: Context): Promise<void> {
  const { node, postgresqlVersion } = settings
  switch (plan.do) {
    case 'allow':
      if (plan.standby) await raiseSettings(postgresqlVersion)
      if (plan.starts) recordStart(postgresqlVersion, plan.starts.failed, plan.starts.position)
      if (plan.compared) markCompared()
      unmarkStale(postgresqlVersion)
      return unmarkFenced()
    case 'stale':
      markStale(postgresqlVersion, plan.why)
      return
    case 'refuse':
      // A lock that an earlier look took would keep the primary from taking it.
      await orUnknown(dropStartSessions(consul, node))
      await queueUnit('start', postgresqlUnits.rejoin)
      await pause(REFUSED_MS)
      return
    case 'lock': {
      markCompared()
      const session = await orUnknown(startSession(consul, node))
      if (session === UNKNOWN) {
        await pause(SESSION_AGAIN_MS)
        return
      }
      const value = { schema: 1 as const, node, since: new Date().toISOString(), why: plan.why }
      await orUnknown(consul.acquire(consulKeys.leader, value, session, plan.modifyIndex))
      return
    }
    case 'wait':
      if (plan.withdraw) await withdrawOnce()
      return
    case 'nothing':
      return
  }
}

/** The primary's settings may have grown while this standby was away; without them it would not start. */
async function raiseSettings(version: number): Promise<void> {
  try {
    // Only here: a primary must not wait for what it does not need.
    const { raiseForHotStandby } = await import('./hot-standby.ts')
    const shortages = await raiseForHotStandby(version)
    if (shortages.length > 0) log('start-gate', { do: 'raise', why: sayShortages(shortages) })
  } catch (error) {
    log('start-gate', { failed: 'raise', error: explain(error) })
  }
}

let withdrawn = false

/** Once in a run: every other look would start it again. */
async function withdrawOnce(): Promise<void> {
  if (withdrawn) return
  withdrawn = true
  await queueUnit('start', postgresqlUnits.withdraw).catch((error: unknown) =>
    log('start-gate', { failed: `start ${postgresqlUnits.withdraw}`, error: explain(error) }),
  )
}
