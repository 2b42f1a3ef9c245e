import { rmSync } from 'node:fs'
import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import { forgetFailure, recordFailure } from '../core/failure.ts'
import { queueUnit } from '../core/systemd.ts'
import { callProgram } from './call.ts'
import { type CallPlan, type Done, decideCall } from './decide-call.ts'
import { commandPaths, commandUnits } from './manifest.ts'
import { observeCall } from './observe.ts'
import { whyUnsafe } from './program.ts'

/** How long the command may take: a call to a provider takes seconds. One that hangs is ended, and called again. */
const COMMAND_MS = 30_000

/** Calls the command, as keepalived calls its notify script. */
export async function applyCall(plan: CallPlan, { settings }: Context): Promise<void> {
  const { state, primary, epoch } = plan
  const { virtualIpCommand: program, node, address, virtualIp, vipPriority } = settings
  if (program === undefined || state === undefined || epoch === undefined) return
  // A call that dies halfway has done nobody knows what: it is made again.
  rmSync(commandPaths.done, { force: true })
  try {
    const why = whyUnsafe(program)
    if (why !== null) throw new UnderstudyError(EXIT.failed, `${program} ${why}`)
    await callProgram(program, ['INSTANCE', 'understudy', state, String(vipPriority)], {
      timeoutMs: COMMAND_MS,
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        UNDERSTUDY_NODE: node,
        UNDERSTUDY_ADDRESS: address,
        UNDERSTUDY_PRIMARY: primary ?? '',
        UNDERSTUDY_VIRTUAL_IP: virtualIp ?? '',
      },
    })
  } catch (error) {
    recordFailure(commandPaths.failed, explain(error), Date.now())
    throw error
  }
  replaceFile(commandPaths.done, `${JSON.stringify({ state, epoch } satisfies Done)}\n`)
  forgetFailure(commandPaths.failed)
}

/** Starts the command's unit where a call is due: it runs as a user of its own, one call at a time. */
export async function callIfNeeded(context: Context): Promise<void> {
  if (decideCall(await observeCall(context)).do === 'call') await queueUnit('start', commandUnits.call)
}
