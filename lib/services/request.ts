import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { exists, readNote } from '../core/atomic-files.ts'
import { queueUnit } from '../core/systemd.ts'
import { virtualIpWeight } from '../virtual-ip/weight.ts'
import { type ServiceList, servicesPaths, servicesUnits } from './manifest.ts'

/** How long the virtual IP waits for the services of the active machine to stop, before it leaves a machine that stays up. */
const LEAVE_MS = 1000
/** Between two looks whether they have stopped. */
const LOOK_AGAIN_MS = 20

/** Has the services of the active machine looked after, if there are any: it may be another one now. */
export async function requestServices(): Promise<void> {
  const applied = readNote<ServiceList>(servicesPaths.applied) ?? {}
  if (Object.values(applied).some(({ run }) => run === 'active'))
    await queueUnit('start', servicesUnits.services)
}

/**
 * Where this machine is about to give the virtual IP up and services of the active machine run here: has them stopped first, so that
 * their clients still get their answers. They may take {@link LEAVE_MS}, then the address goes all the same.
 */
export async function leaveServices(context: Context): Promise<void> {
  if (!exists(servicesPaths.active)) return
  // Whatever hangs: Consul, systemd, or a service.
  await Promise.race([haveThemStopped(context), pause(LEAVE_MS, undefined, { ref: false })])
}

async function haveThemStopped(context: Context): Promise<void> {
  const facts = await virtualIpWeight.observe(context, { elapsedMs: 0 })
  if (!virtualIpWeight.decide(facts).closeConnections) return
  await queueUnit('start', servicesUnits.services)
  const deadline = performance.now() + LEAVE_MS
  while (exists(servicesPaths.active) && performance.now() < deadline) await pause(LOOK_AGAIN_MS)
}
