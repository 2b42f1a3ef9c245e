import type { Context } from '../consul/handler.ts'
import type { CheckLine } from '../core/component.ts'
import { readFailure } from '../core/failure.ts'
import { queueUnit } from '../core/systemd.ts'
import { decideCommandCheck } from './decide-check.ts'
import { commandPaths, commandUnits } from './manifest.ts'
import { observeCall } from './observe.ts'

const call: CheckLine<Context, Parameters<typeof decideCommandCheck>[0]> = {
  name: 'virtual-ip-command',
  observe: async (context) => ({
    ...(await observeCall(context)),
    failure: readFailure(commandPaths.failed),
  }),
  decide: decideCommandCheck,
  async apply(plan) {
    if (plan.do === 'call') await queueUnit('start', commandUnits.call)
  },
}

/** This component's lines of the periodic check. */
export const lines = [call]
