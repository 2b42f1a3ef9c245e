import { mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import {
  disable,
  ensureRunning,
  queueUnit,
  reloadUnits,
  setEnabled,
  settleUnits,
  stopHard,
} from '../core/systemd.ts'
import { virtualIpPaths } from '../virtual-ip/manifest.ts'
import { registrationOf } from './config.ts'
import { needsCommands, type ServicesPlan } from './decide.ts'
import { servicesKeys, servicesPaths, servicesUnits } from './manifest.ts'

/** How long a service may take to end when it is to run elsewhere; then it is killed. */
export const STOP_MS = 10_000

/**
 * Carries out what was decided. What runs here and must not any more is stopped first. Consul comes last: it may not answer.
 * A run that was killed is finished by the next one.
 */
export async function applyServices(plan: ServicesPlan, { settings, consul }: Context): Promise<void> {
  if (plan.do !== 'apply') return
  const { list } = plan
  await Promise.all(plan.stop.map((unit) => stopHard(unit, STOP_MS)))
  if (plan.mark === false) rmSync(servicesPaths.active, { force: true })
  // The periodic check brings the weight up to date.
  if (plan.unyield) rmSync(virtualIpPaths.yields, { force: true })
  await setUp(plan)
  if (plan.mark === true) replaceFile(servicesPaths.active, '')
  for (const unit of plan.start) await queueUnit('start', unit)
  const used = needsCommands(list)
  if (used) await ensureRunning(servicesUnits.checks, [])
  else await disable(servicesUnits.checks)
  await settleUnits()
  for (const id of plan.deregister) await consul.deregisterService(id)
  for (const name of plan.register) {
    const service = list[name]
    if (service !== undefined) await consul.registerService(registrationOf(name, service))
  }
  if (plan.publish !== null) {
    const key = servicesKeys.node(settings.node)
    if (Object.keys(list).length > 0) await consul.set(key, plan.publish)
    else await consul.delete(key)
  }
  // Last: whoever reads it finds nothing left to do.
  if (Object.keys(list).length > 0) replaceFile(servicesPaths.applied, `${JSON.stringify(list)}\n`)
  else rmSync(servicesPaths.applied, { force: true })
}

/** What systemd is to know of the units, before any of them is started. */
async function setUp({ guard, enable, disable: disabled, command }: ServicesPlan): Promise<void> {
  for (const [unit, text] of Object.entries(guard)) setGuard(servicesPaths.guard(unit), text)
  if (Object.keys(guard).length > 0) await reloadUnits()
  if (disabled.length > 0) await setEnabled(disabled, false)
  if (enable.length > 0) await setEnabled(enable, true)
  for (const [name, text] of Object.entries(command)) {
    if (text === null) rmSync(servicesPaths.command(name), { force: true })
    else replaceFile(servicesPaths.command(name), text)
  }
}

function setGuard(path: string, text: string | null): void {
  if (text === null) {
    rmSync(path, { force: true })
    try {
      rmdirSync(dirname(path))
    } catch {
      // It holds something of the operator.
    }
    return
  }
  mkdirSync(dirname(path), { recursive: true })
  replaceFile(path, text)
}
